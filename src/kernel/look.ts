import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { sleeperElf } from '../elf/stubs/prober-x86-64.ts';
import { BASE } from '../elf/stubs/static-x86-64.ts';
import { ProcessMemory, readMemory } from './process.ts';
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
}

const ELF_MAGIC = '7f454c46';
const SEEN_SIZE = 16;

/** Starts a process that sleeps, looks into it, and ends it. Not where a filter kills for these calls: it would kill this process. */
export async function lookIntoChild(files: TrialFiles): Promise<View> {
  const child = spawn(files.add('sleeper', sleeperElf()), [], { stdio: 'ignore', env: {} });
  const gone = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
  const { pid } = child;
  const view = pid === undefined ? undefined : look(pid);
  child.kill('SIGKILL');
  await gone;
  return view ?? { processVmReadv: false, memoryRead: false, memoryWrite: false, syscallFile: false };
}

function look(pid: number): View {
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
