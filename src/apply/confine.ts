import { closeSync } from 'node:fs';
import { PolicyError, SyscallError, UnsupportedError } from '../base/errors.ts';
import { encodeProgram } from '../bpf/codec.ts';
import type { Program } from '../bpf/instruction.ts';
import { compile } from '../compile/compile.ts';
import { compileService } from '../compile/compile-policy.ts';
import { ARCHES } from '../facts/arches.ts';
import { LANDLOCK_RESTRICT_SELF_TSYNC, TSYNC_ABI } from '../facts/landlock.ts';
import {
  PROBE_ARGUMENT,
  PROBE_ERRNO,
  PROBE_OPERATION,
  SECCOMP_RET_ALLOW,
  SERVICE_PROBE_ERRNO,
} from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { NR, SECCOMP_FILTER_FLAG_TSYNC } from '../kernel/abi.ts';
import { landlockAbi, openRuleset, restrictSelf } from '../kernel/landlock.ts';
import { errnoName, libc, trySyscall } from '../kernel/libc.ts';
import { giveUpRings } from '../kernel/libuv-ring.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { hasNoNewPrivs, installFilter, setNoNewPrivs, tryActionAvailable, tryFlags } from '../kernel/seccomp.ts';
import { closeThreadStatuses, openThreadStatuses, readThreadStatus, type ThreadStatus } from '../kernel/threads.ts';
import { encodeAction } from '../policy/action.ts';
import { decide } from '../policy/decide.ts';
import type { Action, Paths, Policy } from '../policy/model.ts';
import { resolvePaths } from '../policy/paths.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import type { ResolvedPolicy } from '../policy/resolved.ts';
import { servicePolicy } from '../policy/service.ts';

/** Puts a policy in force in this very process, on all its threads. */

const EPERM = 1;
const EACCES = 13;
const EFAULT = 14;
const EINVAL = 22;
const ENOSYS = 38;
const EOPNOTSUPP = 95;

/** What was put in force. */
export interface Narrowing {
  /** Threads whose status file confirmed the filter; 0 where the policy forbids reading them or /proc is not there. */
  readonly threads: number;
  /** The program that the kernel took. */
  readonly program: Program;
}

/** What is in force now, and what can be from the moment on at which the program is ready. */
export interface Confinement extends Narrowing {
  /**
   * Puts the policy's `service:` in force too: all threads, at once, for ever.
   *
   * @throws {PolicyError} `no_service`, and `already_narrowed` for a second time
   * @throws {SyscallError} the kernel or an outer filter refuses
   */
  narrow(): Narrowing;
}

/**
 * Confines this process, all threads, at once and for ever; without `start:`, whose calls belong to an exec. All that can fail comes
 * first: compiling, asking the kernel, freeing the event loop from io_uring, opening status files; then no_new_privs; then one call for all threads.
 *
 * @throws {PolicyError} it cannot be compiled, is for other ABIs, or has an action that nobody in this process can carry out (notify, trace)
 * @throws {UnsupportedError} not Linux on x86-64 or AArch64, or a kernel without TSYNC or an action of the policy
 * @throws {SyscallError} the kernel or an outer filter refuses; where no_new_privs has been set by then, the message says so
 */
export function confineProcess(policy: Policy): Confinement {
  libc();
  checkEnforceable(policy);
  const resolved = resolvePolicy(policy, { arches: [NATIVE_ARCH] });
  const program = compile(resolved, { probe: true });
  const service = policy.service && encodedService(policy);
  checkKernel(policy);
  const ruleset = policy.paths && rulesetForAllThreads(policy.paths);
  // A thread of the kernel's own may work for a ring: Landlock is not known to reach it.
  if (ruleset !== undefined || !allows(resolved, 'io_uring_enter')) giveUpRings();
  const statuses = openThreadStatuses();
  try {
    const before = filtersOfThisThread();
    install(encodeProgram(program), PROBE_ERRNO, ruleset);
    // A refused read or close could kill, so none is made that the policy does not allow.
    const threads = allows(resolved, 'read') ? confirmThreads(statuses, before) : 0;
    return { threads, program, narrow: narrower(resolved, service) };
  } finally {
    if (allows(resolved, 'close')) closeThreadStatuses(statuses);
  }
}

/** Compiled before anything is in force: what compiling may call need not be permitted then. */
interface Service {
  readonly resolved: ResolvedPolicy;
  readonly program: Program;
}

function encodedService(policy: Policy): Service {
  const { program } = compileService(policy, { arches: [NATIVE_ARCH] });
  return { resolved: resolvePolicy(servicePolicy(policy), { arches: [NATIVE_ARCH] }), program };
}

/** What opening and reading status files calls. */
const TO_LOOK = ['openat', 'fstat', 'newfstatat', 'getdents64', 'read', 'close'];

/** What `Confinement.narrow` does; `before` is in force until then. */
function narrower(before: ResolvedPolicy, service: Service | undefined): () => Narrowing {
  let isDone = false;
  return () => {
    if (service === undefined) throw new PolicyError('no_service', 'Cannot narrow: the policy has no "service"');
    if (isDone) throw new PolicyError('already_narrowed', 'Cannot narrow: its "service" is in force already');
    const { resolved, program } = service;
    // A refused call could kill: the kernel's word alone counts where status files cannot be opened or read.
    const canLook = TO_LOOK.every((name) => allows(before, name));
    const statuses = canLook ? openThreadStatuses() : [];
    const filters = canLook ? filtersOfThisThread() : undefined;
    try {
      install(encodeProgram(program), SERVICE_PROBE_ERRNO);
      isDone = true;
      return { threads: allows(resolved, 'read') ? confirmThreads(statuses, filters) : 0, program };
    } finally {
      if (allows(resolved, 'close')) closeThreadStatuses(statuses);
    }
  };
}

/** @throws {PolicyError} `wrong_arch`, `not_enforceable` */
function checkEnforceable(policy: Policy): void {
  const arches = policy.arches ?? [NATIVE_ARCH];
  if (!arches.includes(NATIVE_ARCH)) {
    const problem = `this policy is for ${arches.join(', ')}, this process is ${NATIVE_ARCH}`;
    throw new PolicyError('wrong_arch', `${problem}: add ${NATIVE_ARCH} to arches`);
  }
  for (const { action, place } of [...actions(policy), ...policy.syscalls, ...(policy.service ?? [])]) {
    if (action.kind !== 'notify' && action.kind !== 'trace') continue;
    const problem = `${action.kind} needs another process that answers; a process that confines itself has none`;
    throw new PolicyError('not_enforceable', `${problem}: write errno(EPERM) or kill_process`, place);
  }
}

function actions(policy: Policy): readonly { readonly action: Action; readonly place?: undefined }[] {
  return [policy.default, policy.badArch, ...(policy.unknown ? [policy.unknown] : [])].map((action) => ({ action }));
}

/**
 * Asks whether the kernel can do it. Where a filter that is already in force refuses the question (as a first `confine` does), the
 * installation itself will answer.
 */
function checkKernel(policy: Policy): void {
  const tsync = -tryFlags(SECCOMP_FILTER_FLAG_TSYNC);
  if (tsync === EINVAL || tsync === ENOSYS)
    throw new UnsupportedError(
      'TSYNC',
      `Cannot confine all threads: seccomp: ${errnoName(tsync)}: wanted Linux 3.17`,
      '3.17',
    );
  if (tsync !== EFAULT)
    throw new SyscallError(
      'seccomp',
      tsync,
      `Cannot confine this process: a filter that is already in force answers ${errnoName(tsync)} to seccomp(2): it must allow SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_TSYNC`,
    );
  for (const { action } of [...actions(policy), ...policy.syscalls, ...(policy.service ?? [])]) {
    const result = tryActionAvailable(encodeAction(action, NATIVE_ARCH) & 0xffff_0000);
    if (result !== -EOPNOTSUPP) continue;
    throw new UnsupportedError(
      action.kind,
      `Cannot confine this process: this kernel lacks the action ${action.kind}: use another`,
    );
  }
}

/**
 * A ruleset of Landlock for all threads: Node has several before any code of ours runs.
 *
 * @throws {UnsupportedError} the kernel restricts one thread at a time
 */
function rulesetForAllThreads(paths: Paths): number {
  const abi = landlockAbi();
  if (abi < TSYNC_ABI) {
    const problem = `this kernel's Landlock (ABI ${abi}) restricts one thread at a time, and Node has several`;
    const others = 'selkie run, selkie launcher and selkie seal put them in force here';
    throw new UnsupportedError('paths', `Cannot put paths: in force in this process: ${problem}: ${others}`, '7.0');
  }
  return openRuleset(resolvePaths(paths));
}

/** no_new_privs, Landlock, the filter, and the proof that it is ours that answers: by this errno. */
function install(program: Uint8Array, proof: number, ruleset?: number): void {
  // Refused by an earlier filter: then it is set, or seccomp(2) says EACCES.
  const wasSet = hasNoNewPrivs() !== false;
  if (!wasSet) setNoNewPrivs();
  const unprivileged = wasSet ? '' : '; no filter was installed, but no_new_privs is set now and stays';
  if (ruleset !== undefined) restrictAllThreads(ruleset);
  const kept = ruleset === undefined ? unprivileged : '; no filter was installed, but paths: are in force and stay';
  try {
    installFilter(program, SECCOMP_FILTER_FLAG_TSYNC, false);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const hint = error.errno === EACCES ? ': no_new_privs is not set, and a filter forbids to set it' : '';
    throw new SyscallError(error.call, error.errno, `${error.message}${hint}${kept}`, { cause: error });
  }
  const answer = trySyscall(NR.seccomp, PROBE_OPERATION, PROBE_ARGUMENT, null);
  if (answer !== -proof)
    throw new SyscallError(
      'seccomp',
      EPERM,
      `Cannot confine this process: the kernel said yes, but the filter does not answer: an outer filter pretends to install it${kept}`,
    );
}

function restrictAllThreads(ruleset: number): void {
  try {
    restrictSelf(ruleset, LANDLOCK_RESTRICT_SELF_TSYNC);
  } finally {
    closeSync(ruleset);
  }
}

function filtersOfThisThread(): number | undefined {
  const statuses = openThreadStatuses();
  const [main] = statuses;
  const before = main && readThreadStatus(main);
  closeThreadStatuses(statuses);
  return before?.filters;
}

/** TSYNC's 0 is the kernel's word for all threads; what it shows of each is held against it. */
function confirmThreads(statuses: readonly ThreadStatus[], before: number | undefined): number {
  let threads = 0;
  for (const status of statuses) {
    const seccomp = readThreadStatus(status);
    if (seccomp === undefined) continue;
    const grown = before === undefined || seccomp.filters === undefined || seccomp.filters > before;
    if (!seccomp.filtered || !grown)
      throw new SyscallError(
        'seccomp',
        EPERM,
        `Cannot confine this process: thread ${status.tid} runs without the filter`,
      );
    threads += 1;
  }
  return threads;
}

function allows(policy: ResolvedPolicy, name: string): boolean {
  const nr = syscallNumber(NATIVE_ARCH, name) ?? 0;
  const rules = policy.arches.find(({ arch }) => arch === NATIVE_ARCH)?.calls.get(nr);
  if (rules?.some(({ condition }) => condition !== undefined)) return false;
  const args = [0n, 0n, 0n, 0n, 0n, 0n];
  return decide(policy, { nr, arch: ARCHES[NATIVE_ARCH].token, instructionPointer: 0n, args }) === SECCOMP_RET_ALLOW;
}
