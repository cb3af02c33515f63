import { AssemblerA64, at64 } from '../asm-aarch64.ts';
import { EM_AARCH64 } from '../format.ts';
import { type AddressOf, codeAddress, staticFile } from '../static-file.ts';

/** What the generated programs for AArch64 share; static-x86-64.ts is its like. */

/** Builds a static executable for AArch64; `write` is called twice, as absolute addresses are known after the first time. */
export function staticElfAarch64(
  write: (code: AssemblerA64, addressOf: AddressOf) => void,
  notes?: Uint8Array,
): Uint8Array {
  const draft = new AssemblerA64();
  write(draft, () => 0n);
  const labels = draft.labels();
  const code = new AssemblerA64();
  const start = codeAddress(notes);
  write(code, (label) => start + BigInt(labels.get(label) ?? 0));
  return staticFile(EM_AARCH64, code.assemble(), notes);
}

/** System calls that generated programs make: include/uapi/asm-generic/unistd.h. */
export const NR_AARCH64 = {
  fcntl: 25,
  ioctl: 29,
  openat: 56,
  close: 57,
  pipe2: 59,
  read: 63,
  write: 64,
  pread64: 67,
  pwrite64: 68,
  ppoll: 73,
  newfstatat: 79,
  fstat: 80,
  exit_group: 94,
  nanosleep: 101,
  sched_yield: 124,
  kill: 129,
  rt_sigaction: 134,
  rt_sigprocmask: 135,
  rt_sigtimedwait: 137,
  prctl: 167,
  getpid: 172,
  getppid: 173,
  sendmsg: 211,
  clone: 220,
  execve: 221,
  wait4: 260,
  seccomp: 277,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
} as const;

/** mov x8, number; svc 0. The result is in x0; other registers stay. */
export function callAarch64(code: AssemblerA64, name: keyof typeof NR_AARCH64): AssemblerA64 {
  return code.mov('x8', NR_AARCH64[name]).svc();
}

/** x28 = envp, from the stack as execve(2) leaves it: argc, argv, 0, envp, 0. */
export function loadEnvironmentAarch64(code: AssemblerA64): void {
  code.ldr('x0', at64('sp')).lsl('x0', 'x0', 3).mov('x28', 'sp').add('x28', 'x28', 'x0').add('x28', 'x28', 16);
}

const SIGNAL_COUNT = 64;

/** See `resetSignals` of static-x86-64.ts. Clobbers x20; uses 32 bytes below sp for a struct sigaction of zeros (SIG_DFL). */
export function resetSignalsAarch64(code: AssemblerA64): void {
  code.sub('sp', 'sp', 32);
  for (let offset = 0; offset < 32; offset += 8) code.str('xzr', at64('sp', offset));
  code.mov('x20', 1).label('nextSignal').mov('x0', 'x20').mov('x1', 'sp').mov('x2', 0).mov('x3', 8);
  callAarch64(code, 'rt_sigaction')
    .add('x20', 'x20', 1)
    .cmp('x20', SIGNAL_COUNT + 1)
    .bif('ne', 'nextSignal');
  code.add('sp', 'sp', 32);
}

const PR_SET_NO_NEW_PRIVS = 38;
/** prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); the result is in x0. */
export function setNoNewPrivsAarch64(code: AssemblerA64): void {
  code.mov('x0', PR_SET_NO_NEW_PRIVS).mov('x1', 1).mov('x2', 0).mov('x3', 0).mov('x4', 0);
  callAarch64(code, 'prctl');
}

const ENOEXEC = 8;
/**
 * Executes the target (`emitTarget`, with labels `argvAddress` and `shellArgvAddress` of where its arrays are) with the environment in x28; comes back
 * with the first errno, positive, in x21 when it cannot.
 */
export function executeTargetAarch64(code: AssemblerA64): void {
  code.adr('x0', 'path').ldrLabel('x1', 'argvAddress').mov('x2', 'x28');
  callAarch64(code, 'execve').neg('x21', 'x0').cmp('x21', ENOEXEC).bif('ne', 'cannotExecute');
  code.adr('x0', 'shell').ldrLabel('x1', 'shellArgvAddress').mov('x2', 'x28');
  callAarch64(code, 'execve').label('cannotExecute');
}

const ENOENT = 2;
/** exit_group with 127 for ENOENT in x21, else 126, as env(1); then faults, should the filter forbid even that. */
export function exitAfterFailedExecAarch64(code: AssemblerA64): void {
  code.mov('x0', 126).cmp('x21', ENOENT).bif('ne', 'leave').mov('x0', 127).label('leave');
  callAarch64(code, 'exit_group').label('left').udf().b('left');
}
