import type { SeccompData } from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { PR_GET_SECCOMP, SECCOMP_MODE_DISABLED } from '../kernel/abi.ts';
import { ProcessMemory } from '../kernel/process.ts';
import { abiOf, callKey, effectOf, type ObservedArch } from '../observe/abi.ts';
import {
  disarmInstallation,
  type InstallationCall,
  installationOf,
  readInstallation,
} from '../observe/installation.ts';
import type { OwnFilters } from './own-filters.ts';

/** Calls that are answered instead of being made, so that a program believes in its filters; and those that pass them on. */

const ABIS: readonly ObservedArch[] = ['x86_64', 'i386', 'x32'];

/** By `callKey`. */
function keysOf(...names: readonly string[]): ReadonlySet<number> {
  const keys = ABIS.flatMap((arch) =>
    names.flatMap((name) => {
      const nr = syscallNumber(arch, name);
      return nr === undefined ? [] : [callKey(arch, nr)];
    }),
  );
  return new Set(keys);
}

const FORKS = keysOf('fork', 'vfork');
const CLONE = keysOf('clone');
const CLONE3 = keysOf('clone3');
const PRCTL = keysOf('prctl');

const CLONE_THREAD = 0x1_0000n;

/** Whether a thread is made and no process: clone(2) has its flags in the first argument, clone3(2) first in the struct that it points to. */
function isThread(key: number, tid: number, { args }: SeccompData): boolean | undefined {
  const [first = 0n] = args;
  if (FORKS.has(key)) return false;
  if (CLONE.has(key)) return (first & CLONE_THREAD) !== 0n;
  const memory = ProcessMemory.open(tid);
  const flags = memory?.read(first, 8);
  memory?.close();
  return flags && (new DataView(flags.buffer).getBigUint64(0, true) & CLONE_THREAD) !== 0n;
}

/** Answers installations of filters, and follows the threads that have them. */
export class Emulator {
  readonly #filters: OwnFilters;
  readonly #hasPolicy: boolean;
  /** By thread: puts back the memory that its last installation was read from. */
  readonly #undo = new Map<number, { readonly address: bigint; readonly putBack: () => void }>();

  /** `hasPolicy`: a policy is in force from the beginning. */
  constructor(filters: OwnFilters, hasPolicy: boolean) {
    this.#filters = filters;
    this.#hasPolicy = hasPolicy;
  }

  /** A thread makes a call, and so has come back from the one before. */
  sawCall(tid: number): void {
    this.#undo.get(tid)?.putBack();
    this.#undo.delete(tid);
  }

  /** No call will come any more. */
  end(): void {
    for (const tid of this.#undo.keys()) this.sawCall(tid);
  }

  /** What a permitted call returns if the kernel is not to make it: a result or -errno. Undefined: the kernel shall make it. */
  resultOf(tid: number, data: SeccompData): number | undefined {
    const arch = abiOf(data.arch, data.nr);
    if (arch === undefined) return undefined;
    const key = callKey(arch, data.nr);
    const effect = effectOf(key);
    if (FORKS.has(key) || CLONE.has(key) || CLONE3.has(key)) this.#filters.beforeClone(tid, isThread(key, tid, data));
    else if (effect === 'exec') this.#filters.beforeExec(tid);
    else if (effect !== undefined) this.#filters.beforeExit(tid, effect === 'exit_group');
    else if (PRCTL.has(key) && Number((data.args[0] ?? 0n) & 0xffff_ffffn) === PR_GET_SECCOMP) return this.#mode(tid);
    const call = installationOf(data);
    return call && this.#install(tid, call);
  }

  /** The kernel would tell of the filter that notifies us. */
  #mode(tid: number): number | undefined {
    return this.#hasPolicy || this.#filters.programsOf(tid).length > 1 ? undefined : SECCOMP_MODE_DISABLED;
  }

  /**
   * The program itself is not installed: the kernel would keep from us what it denies. One that allows all is, in its place, so that
   * /proc/PID/status counts it, on the threads where it shall be.
   */
  #install(tid: number, call: InstallationCall): number | undefined {
    const { program, errno } = readInstallation(tid, call);
    if (errno === undefined) {
      // The caller's memory is closed to us: then its filter shall be in force for real.
      this.#filters.missed();
      return undefined;
    }
    if (errno !== 0 || program === undefined) return -errno;
    const result = this.#filters.install(tid, program, call.flags);
    if (result !== 0) return result;
    // While another thread installs from the same memory, that is left alone.
    const isShared = [...this.#undo.values()].some(({ address }) => address === call.address);
    const putBack = isShared ? undefined : disarmInstallation(tid, call, program);
    if (putBack === undefined) return 0;
    this.#undo.set(tid, { address: call.address, putBack });
    return undefined;
  }
}
