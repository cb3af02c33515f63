import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { SelkieError } from '../base/errors.ts';
import { BASE } from '../elf/static-file.ts';
import { ownLauncherX8664 } from '../elf/stubs/own-launcher-x86-64.ts';
import { sleeperElf } from '../elf/stubs/prober-x86-64.ts';
import { SECCOMP_MODE_FILTER } from './abi.ts';
import { filtersOf } from './filters.ts';
import { ProcessMemory, readMemory } from './process.ts';
import { taskStatus } from './task-status.ts';
import type { TrialFiles } from './trial-files.ts';

/** What this process may see of a child, tried on one: it decides how much a recording can tell of dynamic programs and call sites. */
export interface View {
  /** process_vm_readv(2). */
  readonly processVmReadv: boolean;
  /** /proc/PID/mem, opened for reading and writing. */
  readonly memoryRead: boolean;
  readonly memoryWrite: boolean;
  /** /proc/PID/syscall: stack pointer and instruction pointer. */
  readonly syscallFile: boolean;
  /** Why the filters of a process cannot be read; undefined: they can. */
  readonly filtersRefused: string | undefined;
}

const ELF_MAGIC = '7f454c46';
const SEEN_SIZE = 16;

/**
 * Starts processes that sleep, looks into them, and ends them. Not where a filter kills for these calls: it would kill this process.
 *
 * @param filter - one that permits all and answers the probe call, encoded
 */
export async function lookIntoChild(files: TrialFiles, filter: Uint8Array): Promise<View> {
  const sleeper = files.add('sleeper', sleeperElf());
  const launcher = files.add('launcher', ownLauncherX8664({ program: filter, form: 'simple' }));
  const filtersRefused = await withChild([launcher, sleeper], refusalOfFilters, 'it could not be started');
  return { ...(await withChild([sleeper], look, NOTHING_SEEN)), filtersRefused };
}

type Seen = Omit<View, 'filtersRefused'>;
const NOTHING_SEEN: Seen = { processVmReadv: false, memoryRead: false, memoryWrite: false, syscallFile: false };

async function withChild<T>(
  [path = '', ...words]: readonly string[],
  action: (pid: number) => T | Promise<T>,
  otherwise: T,
): Promise<T> {
  const child = spawn(path, words, { stdio: 'ignore', env: {} });
  const gone = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
  const { pid } = child;
  const seen = pid === undefined ? otherwise : await action(pid);
  child.kill('SIGKILL');
  await gone;
  return seen;
}

const INSTALL_MS = 500;

/** Reads the filters of a process that installs one. @returns why that failed */
async function refusalOfFilters(pid: number): Promise<string | undefined> {
  for (let waited = 0; waited < INSTALL_MS && taskStatus(pid)?.mode !== SECCOMP_MODE_FILTER; waited += 1)
    await new Promise((resolve) => setTimeout(resolve, 1));
  try {
    return filtersOf(pid).length > 0 ? undefined : 'a trial process had none';
  } catch (error) {
    if (!(error instanceof SelkieError)) throw error;
    return error.message.replace(/^Cannot [^:]*: /, '');
  }
}

function look(pid: number): Seen {
  const isElf = (bytes: Uint8Array | undefined) =>
    bytes !== undefined && Buffer.from(bytes.subarray(0, 4)).toString('hex') === ELF_MAGIC;
  const memory = ProcessMemory.open(pid);
  const seen = memory?.read(BASE, SEEN_SIZE);
  // Its own bytes: nothing changes, but its pages are read-only, as a program's entry is.
  const memoryWrite = seen !== undefined && memory?.write(BASE, seen) === true;
  memory?.close();
  return {
    processVmReadv: isElf(readMemory(pid, BASE, SEEN_SIZE)),
    memoryRead: isElf(seen),
    memoryWrite,
    syscallFile: canRead(`/proc/${pid}/syscall`),
  };
}

function canRead(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}
