import { readFileSync, realpathSync, writeSync } from 'node:fs';
import { Server } from 'node:net';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { UsageError } from './base/errors.ts';
import { confine } from './confine.ts';
import { loadPolicy } from './load/filter.ts';

/**
 * `node --import selkie/register app.js`: confines the process before the program's own code runs, by the policy that SELKIE_POLICY names,
 * else by `"selkie": { "policy": "FILE" }` of the program's package.json. SELKIE_PRINT=1 lists what is permitted. Without a policy, or
 * when it cannot be put in force, the program does not run: exit 125.
 *
 * A policy with `service:` is narrowed to it when the program is ready: SELKIE_READY, else `"ready"` beside `"policy"`, is `listen` (also where
 * neither is there: its first server listens) or `signal:NAME` (it gets that signal). Where that fails it ends: exit 125.
 */

const EXIT_SELKIE = 125;

/** What is in force, and when which part of it. */
interface Settings {
  readonly policy: string;
  readonly ready?: string;
}

function register(): void {
  orExit(() => {
    const { policy: file, ready } = findSettings();
    const policy = loadPolicy(file);
    const wait = waitFor(process.env.SELKIE_READY || (ready ?? 'listen'));
    const { narrow } = confine(policy, { print: process.env.SELKIE_PRINT === '1' });
    if (policy.service) wait(firstTime(() => orExit(narrow)));
  });
}

function orExit(action: () => void): void {
  try {
    action();
  } catch (error) {
    writeSync(2, `selkie: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(EXIT_SELKIE);
  }
}

function firstTime(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}

/** @throws {UsageError} `bad_ready` */
function waitFor(ready: string): (narrow: () => void) => void {
  if (ready === 'listen') return onListen;
  const signal = `SIG${/^signal:(?:SIG)?(\w+)$/.exec(ready)?.[1]}`;
  if (Object.hasOwn(constants.signals, signal) && !['SIGKILL', 'SIGSTOP'].includes(signal))
    return (narrow) => process.on(signal as NodeJS.Signals, narrow);
  throw new UsageError('bad_ready', `Cannot narrow when ready is "${ready}": wanted listen or signal:NAME`);
}

/** Before the program's own handler hears that a server listens: what that calls is service. */
function onListen(narrow: () => void): void {
  const { listen } = Server.prototype;
  Server.prototype.listen = function (this: Server, ...args: never) {
    this.once('listening', narrow);
    return Reflect.apply(listen, this, args);
  };
}

function findSettings(): Settings {
  const { SELKIE_POLICY } = process.env;
  if (SELKIE_POLICY) return { policy: SELKIE_POLICY };
  const found = settingsOfPackage(startFolder());
  if (found !== undefined) return found;
  const wanted = 'set SELKIE_POLICY=FILE, or write "selkie": { "policy": "FILE" } into package.json';
  throw new UsageError('no_policy', `Cannot confine this program: no policy is named: ${wanted}`);
}

/** Where the program is, else (node -e) where we are. */
function startFolder(): string {
  const [, script] = process.argv;
  if (script === undefined) return process.cwd();
  try {
    return dirname(realpathSync(script));
  } catch {
    return dirname(resolve(script));
  }
}

/** The first package.json upwards that speaks of Selkie; others may stand below it, such as dist/package.json. */
function settingsOfPackage(folder: string): Settings | undefined {
  const text = readIfThere(join(folder, 'package.json'));
  const settings = text === undefined ? undefined : settingsField(text, folder);
  if (settings !== undefined) return { ...settings, policy: resolve(folder, settings.policy) };
  const parent = dirname(folder);
  return parent === folder ? undefined : settingsOfPackage(parent);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function settingsField(text: string, folder: string): Settings | undefined {
  const path = join(folder, 'package.json');
  let content: { selkie?: { policy?: unknown; ready?: unknown } } | null;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new UsageError('bad_package', `Cannot read "${path}": it is no JSON`, { cause: error });
  }
  if (content?.selkie === undefined) return undefined;
  const { policy, ready } = content.selkie ?? {};
  if (typeof policy === 'string' && policy !== '')
    return { policy, ...(ready !== undefined && { ready: String(ready) }) };
  throw new UsageError(
    'bad_package',
    `Cannot read "${path}": "selkie" has no "policy": wanted the path of a policy file`,
  );
}

// Threads share the filter of their process, and --import is inherited by workers.
if (isMainThread) register();
