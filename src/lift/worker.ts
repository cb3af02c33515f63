import type { ReceiveOptions } from '../observe/protocol.ts';
import { runWorker } from '../observe/run-worker.ts';
import { InstallationServer, type SeenInstallation, type Treatment } from './server.ts';

/** The worker thread of `collectInstallations`. */
runWorker<ReceiveOptions & { readonly treatment: Treatment }, readonly SeenInstallation[], SeenInstallation>(
  ({ treatment }, tell) => new InstallationServer(treatment, tell),
);
