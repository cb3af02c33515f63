import { Assembler } from '../asm-x86-64.ts';
import { EM_X86_64 } from '../format.ts';
import { type AddressOf, codeAddress, staticFile } from '../static-file.ts';

/** What the generated programs share: the ELF file around their code, and pieces of code. All is position-dependent and static. */

/**
 * Builds a static executable for x86-64; see `staticFile`. Execution begins at the first byte that `write` emits.
 *
 * @param write - emits code and data; called twice, as absolute addresses are known after the first time
 * @param notes - encoded ELF notes to carry
 */
export function staticElf(write: (code: Assembler, addressOf: AddressOf) => void, notes?: Uint8Array): Uint8Array {
  const draft = new Assembler();
  write(draft, () => 0n);
  const labels = draft.labels();
  const code = new Assembler();
  const start = codeAddress(notes);
  write(code, (label) => start + BigInt(labels.get(label) ?? 0));
  return staticFile(EM_X86_64, code.assemble(), notes);
}

/** System calls that generated programs make: arch/x86/entry/syscalls/syscall_64.tbl. */
export const NR = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  fstat: 5,
  poll: 7,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  ioctl: 16,
  pread64: 17,
  pwrite64: 18,
  sched_yield: 24,
  nanosleep: 35,
  getpid: 39,
  sendmsg: 46,
  clone: 56,
  execve: 59,
  exit: 60,
  wait4: 61,
  kill: 62,
  fcntl: 72,
  ptrace: 101,
  getppid: 110,
  rt_sigtimedwait: 128,
  prctl: 157,
  exit_group: 231,
  openat: 257,
  newfstatat: 262,
  pipe2: 293,
  seccomp: 317,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
} as const;

/** mov eax, number; syscall. Clobbers rcx and r11. */
export function call(code: Assembler, name: keyof typeof NR): Assembler {
  return code.mov('eax', NR[name]).syscall();
}

/** r15 = envp, from the stack as execve(2) leaves it: argc, argv, 0, envp, 0. */
export function loadEnvironment(code: Assembler): void {
  code.mov('rax', { base: 'rsp', displacement: 0 }).shl('rax', 3).mov('r15', 'rsp').add('r15', 'rax').add('r15', 16);
}

const SIGNAL_COUNT = 64;

/**
 * Sets every signal to its default: Node ignores SIGPIPE and SIGXFSZ, glibc's posix_spawn leaves 32 and 33 ignored. SIGKILL and SIGSTOP are
 * refused, which does not matter. Clobbers rbx; uses 32 bytes below rsp for a struct sigaction of zeros (SIG_DFL).
 */
export function resetSignals(code: Assembler): void {
  for (let word = 0; word < 4; word += 1) code.push(0);
  code.mov('ebx', 1).label('nextSignal');
  code.mov('edi', 'ebx').mov('rsi', 'rsp').xor('edx', 'edx').mov('r10d', 8);
  call(code, 'rt_sigaction')
    .inc('ebx')
    .cmp('ebx', SIGNAL_COUNT + 1)
    .jcc('ne', 'nextSignal')
    .add('rsp', 32);
}

const PR_SET_NO_NEW_PRIVS = 38;
/** prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); the result is in rax. */
export function setNoNewPrivs(code: Assembler): void {
  code.mov('edi', PR_SET_NO_NEW_PRIVS).mov('esi', 1).xor('edx', 'edx').xor('r10d', 'r10d').xor('r8d', 'r8d');
  call(code, 'prctl');
}

const ENOEXEC = 8;
/** Executes the target with the environment in r15; comes back with the first errno, positive, in r13 when it cannot. */
export function executeTarget(code: Assembler): void {
  code.lea('rdi', 'path').lea('rsi', 'argv').mov('rdx', 'r15');
  call(code, 'execve').mov('r13', 'rax').neg('r13').cmp('r13', ENOEXEC).jcc('ne', 'cannotExecute');
  code.lea('rdi', 'shell').lea('rsi', 'shellArgv').mov('rdx', 'r15');
  call(code, 'execve').label('cannotExecute');
}

const ENOENT = 2;
/** exit_group with 127 for ENOENT in r13, else 126, as env(1); then spins in hlt, should the filter forbid even that. */
export function exitAfterFailedExec(code: Assembler): void {
  code.mov('edi', 126).cmp('r13', ENOENT).jcc('ne', 'leave').inc('edi').label('leave');
  call(code, 'exit_group').hlt();
}
