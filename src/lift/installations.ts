import { requireX8664 } from '../kernel/libc.ts';
import { type Supervised, superviseCommand } from '../observe/session.ts';
import { installationFilter } from './filter.ts';
import type { SeenInstallation, Treatment } from './server.ts';

export type { SeenInstallation, Treatment } from './server.ts';

export interface CollectOptions {
  /** The command and its arguments; the first word is searched in PATH. */
  readonly command: readonly string[];
  /** `permit` is the default. With `pretend` the command goes on without its filters: what it installs later is seen too. */
  readonly treatment?: Treatment;
  /** Called for each installation, while its caller waits for the answer. */
  readonly onInstallation?: (installation: SeenInstallation) => void;
}

export interface Collected extends Omit<Supervised<unknown>, 'observed'> {
  /** In the order in which they were made. */
  readonly installations: readonly SeenInstallation[];
}

/**
 * Runs a command and collects the filters that it and its descendants install. Needs no rights; all other calls are made at full
 * speed. The command has no_new_privs set, and installations with SECCOMP_FILTER_FLAG_NEW_LISTENER get EBUSY from the kernel, which permits one
 * listener to a process tree: their programs are seen nevertheless.
 *
 * @throws as superviseCommand
 */
export async function collectInstallations(options: CollectOptions): Promise<Collected> {
  requireX8664('see the filters that a command installs', 'as root, read those of its process: selkie lift pid:N');
  const { onInstallation, treatment = 'permit' } = options;
  const { observed, ...rest } = await superviseCommand<readonly SeenInstallation[], SeenInstallation>({
    command: options.command,
    worker: 'lift',
    workerOptions: { treatment },
    filter: installationFilter(),
    purpose: 'see what filters it installs',
    nothing: [],
    ...(onInstallation && { onEvent: onInstallation }),
  });
  return { installations: observed, ...rest };
}
