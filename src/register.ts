import { readFileSync, realpathSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { UsageError } from './base/errors.ts';
import { confine } from './confine.ts';

/**
 * `node --import selkie/register app.js`: confines the process before the program's own code runs, by the policy that SELKIE_POLICY names,
 * else by `"selkie": { "policy": "FILE" }` of the program's package.json. SELKIE_PRINT=1 lists what is permitted. Without a policy, or
 * when it cannot be put in force, the program does not run: exit 125.
 */

const EXIT_SELKIE = 125;

function register(): void {
  try {
    confine(findPolicy(), { print: process.env.SELKIE_PRINT === '1' });
  } catch (error) {
    writeSync(2, `selkie: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(EXIT_SELKIE);
  }
}

function findPolicy(): string {
  const { SELKIE_POLICY } = process.env;
  if (SELKIE_POLICY) return SELKIE_POLICY;
  const found = policyOfPackage(startFolder());
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
function policyOfPackage(folder: string): string | undefined {
  const text = readIfThere(join(folder, 'package.json'));
  const policy = text === undefined ? undefined : policyField(text, folder);
  if (policy !== undefined) return resolve(folder, policy);
  const parent = dirname(folder);
  return parent === folder ? undefined : policyOfPackage(parent);
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

function policyField(text: string, folder: string): string | undefined {
  const path = join(folder, 'package.json');
  let content: { selkie?: { policy?: unknown } } | null;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new UsageError('bad_package', `Cannot read "${path}": it is no JSON`, { cause: error });
  }
  if (content?.selkie === undefined) return undefined;
  const policy = content.selkie?.policy;
  if (typeof policy === 'string' && policy !== '') return policy;
  throw new UsageError(
    'bad_package',
    `Cannot read "${path}": "selkie" has no "policy": wanted the path of a policy file`,
  );
}

// Threads share the filter of their process, and --import is inherited by workers.
if (isMainThread) register();
