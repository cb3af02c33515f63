import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PLACES, type Place } from './places.ts';
import { type Finished, ROOT, type RunOptions, runCommand } from './selkie.ts';

/** What a platform does with a classic buildpack: the arguments and the environment of the Buildpack API, without the platform. */

export const BUILDPACK: string = join(ROOT, 'buildpack');
const BUILD_TIMEOUT_MS = 180_000;
export const EXAMPLE: string = join(ROOT, 'examples/heroku-go');

/** Builds and dynos are unprivileged users under the platform's own filter. */
export const DYNO: Place = PLACES.find(({ name }) => name === 'a dyno') as Place;

/** An app's folder that is built, with the folders that a build is given. */
export interface App {
  readonly folder: string;
  readonly build: string;
  readonly cache: string;
  readonly env: string;
}

/** @param files - texts by path; `settings`: the app's config vars */
export function makeApp(
  folder: string,
  files: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>>,
  cache: string,
): App {
  const app = { folder, build: join(folder, 'build'), cache, env: join(folder, 'env') };
  for (const path of [app.build, app.env]) mkdirSync(path);
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  for (const [path, text] of Object.entries(files)) write(join(app.build, path), text);
  for (const [name, value] of Object.entries(settings)) write(join(app.env, name), value);
  return app;
}

/** Builds the example into the app as the Go buildpack does: binaries go to bin/. `without`: files that were not pushed. */
export function buildExample(app: App, without: readonly string[] = []): void {
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '' };
  cpSync(EXAMPLE, app.build, { recursive: true });
  for (const name of without) rmSync(join(app.build, name));
  const words = ['go', 'build', '-o', 'bin/heroku-go', '.'];
  const { status, stderr } = runCommand(words, { cwd: app.build, env });
  if (status !== 0) throw new Error(`go build: ${stderr}`);
}

export function detect(app: App): Finished {
  return runCommand([join(BUILDPACK, 'bin/detect'), app.build]);
}

/** Runs bin/compile where builds run. */
export function compile(app: App, options: RunOptions = {}): Finished {
  const chown = runCommand(['chown', '-R', '65534:65534', app.folder, app.cache]);
  if (chown.status !== 0) throw new Error(chown.stderr);
  const words = DYNO.wrap([join(BUILDPACK, 'bin/compile'), app.build, app.cache, app.env], app.folder);
  const env = { ...ownEnvironment(), HOME: app.folder, TMPDIR: app.folder, STACK: 'heroku-24', ...options.env };
  return runCommand(words, { cwd: app.build, timeout: BUILD_TIMEOUT_MS, ...options, env });
}

/** Ours, without the settings of the npm that may run these tests. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
}
