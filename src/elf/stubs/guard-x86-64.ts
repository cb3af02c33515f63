import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION } from '../../facts/seccomp.ts';
import { type Assembler, at } from '../asm-x86-64.ts';
import { emitProgram, emitTarget } from '../static-file.ts';
import {
  CHILDREN_PATH,
  CHILDREN_SIZE,
  CLONE_VM_FILES,
  CMSG_LENGTH,
  CMSG_SPACE,
  DEATH_SIGNAL,
  ECHILD,
  EINVAL,
  EOPNOTSUPP,
  F_SETFD,
  FLAG_NEW_LISTENER,
  FLAG_WAIT_KILLABLE_RECV,
  GUARD_KILL_SIGNAL,
  GUARD_LISTENER,
  GUARD_REFUSED,
  GUARD_SIGNAL,
  GUARD_SIGNALS,
  GUARD_STATE,
  GUARD_STATUS,
  GUARD_TRACEE,
  type GuardOptions,
  LISTEN_S,
  MSG_NOSIGNAL,
  NOT_YET,
  NOTIFY_ALL,
  PAUSE_NS,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_PDEATHSIG,
  ROOM,
  SCM_RIGHTS,
  SECCOMP_SET_MODE_FILTER,
  SIG_SETMASK,
  SIGCHLD,
  SIGKILL,
  SOL_SOCKET,
  WALL,
  WCONTINUED,
  WNOHANG,
  WUNTRACED,
} from './guard-state.ts';
import {
  call,
  executeTarget,
  exitAfterFailedExec,
  loadEnvironment,
  resetSignals,
  setNoNewPrivs,
  staticElf,
} from './static-x86-64.ts';

/**
 * The guard of `record` and `run --explain`: a process between Selkie and the target that outlives Selkie's death long enough to leave nothing behind. It is a
 * subreaper, blocks all signals, starts the target in a child that shares its memory and descriptors until execve, and sends Selkie:
 *
 *   1. the listener (SCM_RIGHTS) with the target's pid, as soon as the child has installed the notifying filter,
 *   2. every change of the target's wait status, and the signals that reached the whole process group.
 *
 * When Selkie dies or asks for it, all descendants are killed, and the guard ends when none is left. Messages are 16 bytes, four
 * signed words: kind, and three values (see GuardMessage).
 */

/** The state's offsets are from rbp. */
const {
  status: STATUS,
  message: MESSAGE,
  iovec: IOVEC,
  header: HEADER,
  control: CONTROL,
  siginfo: SIGINFO,
  children: CHILDREN,
} = GUARD_STATE;
const LISTENER = at('rbp', GUARD_STATE.listener);
const EXEC_ERRNO = at('rbp', GUARD_STATE.execErrno);
const TARGET_ALIVE = at('rbp', GUARD_STATE.targetAlive);

/** Generates the guard. @returns a static ELF file for x86-64 */
export function guardX8664(options: GuardOptions): Uint8Array {
  return staticElf((code, addressOf) => {
    begin(code, options);
    startChild(code);
    guardListener(code, options.isTraced === true);
    guardLoop(code, options);
    killAll(code);
    sendFunctions(code, options);
    child(code, options);
    data(code, options);
    emitTarget(code, options.target, addressOf);
    emitProgram(code, options.filter ?? NOTIFY_ALL, addressOf);
  });
}

/** r15 = envp, rbp = state; tied to its parent; r14 = own pid. */
function begin(code: Assembler, options: GuardOptions): void {
  code.endbr64();
  loadEnvironment(code);
  code.and('rsp', -64).sub('rsp', ROOM).mov('rbp', 'rsp').sub('rsp', ROOM);
  code.mov(LISTENER, NOT_YET).mov(EXEC_ERRNO, 0).mov(TARGET_ALIVE, 0);
  code.mov('edi', options.socket).mov('esi', F_SETFD).mov('edx', 1);
  call(code, 'fcntl');
  code.mov('edi', PR_SET_CHILD_SUBREAPER).mov('esi', 1).xor('edx', 'edx').xor('r10d', 'r10d').xor('r8d', 'r8d');
  call(code, 'prctl');
  code.mov('edi', PR_SET_PDEATHSIG).mov('esi', DEATH_SIGNAL);
  call(code, 'prctl');
  // A parent that died before the line above sends nothing any more.
  call(code, 'getppid').cmp('eax', options.parent).jcc('ne', 'end');
  call(code, 'getpid').mov('r14', 'rax');
}

/** r12 = the target's pid. The child goes to `child`, on a stack of its own. */
function startChild(code: Assembler): void {
  code
    .mov('edi', CLONE_VM_FILES | SIGCHLD)
    .mov('rsi', 'rbp')
    .xor('edx', 'edx')
    .xor('r10d', 'r10d')
    .xor('r8d', 'r8d');
  call(code, 'clone').test('rax', 'rax').jcc('e', 'child').jcc('s', 'end');
  code.mov('r12', 'rax').mov(TARGET_ALIVE, 1);
}

/** Waits until the child has its filter; sends the listener, and closes the only copy that would outlive the child's execve. */
function guardListener(code: Assembler, isTraced: boolean): void {
  code.label('waitListener').mov('rax', LISTENER).cmp('rax', NOT_YET).jcc('ne', 'answered');
  // The child may have been killed on its way: then its status is the first and last message.
  waitFor(code, 'r12', WNOHANG | WALL)
    .cmp('rax', 'r12')
    .jcc('ne', 'notDead');
  code.mov('rax', LISTENER).cmp('rax', NOT_YET).jcc('ne', 'answered').call('sendStatus').jmp('end');
  code.label('notDead').lea('rdi', 'pause').xor('esi', 'esi');
  call(code, 'nanosleep').jmp('waitListener');
  code.label('answered').test('rax', 'rax').jcc('s', 'refused');
  if (isTraced) code.jmp('loop');
  else sendListener(code);
  code
    .label('refused')
    .neg('rax')
    .mov32(at('rbp', MESSAGE), GUARD_REFUSED)
    .mov(at('rbp', MESSAGE + 4), 'eax');
  code.call('send');
}

function sendListener(code: Assembler): void {
  code
    .mov('ebx', 'eax')
    .mov32(at('rbp', MESSAGE), GUARD_LISTENER)
    .mov(at('rbp', MESSAGE + 4), 'r12d');
  code.mov('edi', 'ebx').call('sendWithDescriptor').mov('edi', 'ebx');
  call(code, 'close').jmp('loop');
}

/** Reports the target's states, reaps orphans, passes on what signals came, until no descendant is left. */
function guardLoop(code: Assembler, options: GuardOptions): void {
  code.label('loop');
  waitFor(code, -1, WNOHANG | WUNTRACED | WCONTINUED | WALL);
  code.test('rax', 'rax').jcc('e', 'waitSignal').jcc('s', 'end');
  code.cmp('rax', 'r12').jcc('ne', 'loop').call('sendStatus').jmp('loop');
  code.label('waitSignal').lea('rdi', 'signals').lea('rsi', at('rbp', SIGINFO)).lea('rdx', 'second').mov('r10d', 8);
  call(code, 'rt_sigtimedwait').mov('rbx', 'rax');
  call(code, 'getppid').cmp('eax', options.parent).jcc('ne', 'killAll');
  code.cmp('rbx', GUARD_KILL_SIGNAL).jcc('e', 'killAll').cmp('rbx', DEATH_SIGNAL).jcc('e', 'killAll');
  code.cmp('rbx', SIGCHLD).jcc('e', 'loop').test('rbx', 'rbx').jcc('s', 'loop');
  code.mov32(at('rbp', MESSAGE), GUARD_SIGNAL).mov(at('rbp', MESSAGE + 4), 'ebx');
  code.mov('eax', at('rbp', SIGINFO + 8)).mov(at('rbp', MESSAGE + 8), 'eax');
  code
    .mov('eax', at('rbp', SIGINFO + 16))
    .mov(at('rbp', MESSAGE + 12), 'eax')
    .call('send')
    .jmp('loop');
}

/**
 * Kills every child, reaps one, and again: children of a killed child become ours before we can reap it, so that the list is complete when
 * it is read next. Without /proc/thread-self/children (CONFIG_PROC_CHILDREN) the target alone is killed.
 */
function killAll(code: Assembler): void {
  code.label('killAll').cmp(TARGET_ALIVE, 0).jcc('e', 'readChildren').mov('rdi', 'r12').mov('esi', SIGKILL);
  call(code, 'kill').label('readChildren');
  code.lea('rdi', 'childrenPath').xor('esi', 'esi').xor('edx', 'edx');
  call(code, 'open').mov('rbx', 'rax').test('rax', 'rax').jcc('s', 'reapOne');
  code.label('readMore').mov('rdi', 'rbx').lea('rsi', at('rbp', CHILDREN)).mov('edx', CHILDREN_SIZE);
  call(code, 'read').test('rax', 'rax').jcc('le', 'closeChildren');
  code.lea('r8', at('rbp', CHILDREN)).lea('r9', at('r8')).add('r9', 'rax').xor('edi', 'edi');
  // Decimal pids, each followed by a space.
  code.label('nextByte').cmp('r8', 'r9').jcc('ae', 'readMore').movzxByte('eax', at('r8')).inc('r8');
  code.cmp('eax', 0x20).jcc('e', 'killOne').imul('edi', 'edi', 10).sub('eax', 0x30).add('edi', 'eax').jmp('nextByte');
  code.label('killOne').mov('esi', SIGKILL);
  call(code, 'kill').xor('edi', 'edi').jmp('nextByte');
  code.label('closeChildren').mov('rdi', 'rbx');
  call(code, 'close').label('reapOne');
  waitFor(code, -1, WALL).cmp('rax', -ECHILD).jcc('e', 'end');
  code.cmp('rax', 'r12').jcc('ne', 'killAll').call('sendStatus').jmp('killAll');
  code.label('end').xor('edi', 'edi');
  call(code, 'exit_group').hlt();
}

/** wait4(pid, &status, options, 0); the result is in rax. */
function waitFor(code: Assembler, pid: 'r12' | -1, options: number): Assembler {
  code.mov('rdi', pid).lea('rsi', at('rbp', STATUS)).mov('edx', options).xor('r10d', 'r10d');
  return call(code, 'wait4');
}

/** Functions: sendStatus (of the target, in STATUS), send (MESSAGE), sendWithDescriptor (MESSAGE, descriptor in edi). */
function sendFunctions(code: Assembler, options: GuardOptions): void {
  code
    .label('sendStatus')
    .mov32(at('rbp', MESSAGE), GUARD_STATUS)
    .mov(at('rbp', MESSAGE + 4), 'r12d');
  code.mov('eax', at('rbp', STATUS)).mov(at('rbp', MESSAGE + 8), 'eax');
  code.mov('ecx', EXEC_ERRNO).mov(at('rbp', MESSAGE + 12), 'ecx');
  // 0x..7f: stopped; 0xffff: continued. All else is the end of the target: its pid is no longer ours to kill.
  code.and('eax', 0x7f).cmp('eax', 0x7f).jcc('e', 'send').mov(TARGET_ALIVE, 0);
  code.label('send').xor('ecx', 'ecx').jmp('sendAny');
  code
    .label('sendWithDescriptor')
    .mov(at('rbp', CONTROL), CMSG_LENGTH)
    .mov32(at('rbp', CONTROL + 8), SOL_SOCKET);
  code
    .mov32(at('rbp', CONTROL + 12), SCM_RIGHTS)
    .mov(at('rbp', CONTROL + 16), 'rdi')
    .mov('ecx', CMSG_SPACE)
    .label('sendAny');
  code
    .lea('rax', at('rbp', MESSAGE))
    .mov(at('rbp', IOVEC), 'rax')
    .mov(at('rbp', IOVEC + 8), 16);
  code.mov(at('rbp', HEADER), 0).mov(at('rbp', HEADER + 8), 0);
  code
    .lea('rax', at('rbp', IOVEC))
    .mov(at('rbp', HEADER + 16), 'rax')
    .mov(at('rbp', HEADER + 24), 1);
  code
    .lea('rax', at('rbp', CONTROL))
    .mov(at('rbp', HEADER + 32), 'rax')
    .mov(at('rbp', HEADER + 40), 'rcx');
  code
    .mov(at('rbp', HEADER + 48), 0)
    .mov('edi', options.socket)
    .lea('rsi', at('rbp', HEADER));
  call(code.mov('edx', MSG_NOSIGNAL), 'sendmsg').ret();
}

/**
 * The target before its execve: dies with the guard, has the signals that Selkie was given, installs the filter, leaves the answer where the
 * guard sees it. From then on every notified call waits until Selkie serves it. A filter of a policy is proven by the probe call first: an outer
 * filter that only pretends to install it is EOPNOTSUPP.
 */
function child(code: Assembler, options: GuardOptions): void {
  code.label('child').mov('edi', PR_SET_PDEATHSIG).mov('esi', SIGKILL);
  call(code, 'prctl');
  call(code, 'getppid').cmp('rax', 'r14').jcc('ne', 'end');
  resetSignals(code);
  if (options.isTraced) awaitTracer(code, options.socket);
  code.mov('edi', SIG_SETMASK).lea('rsi', 'blocked').xor('edx', 'edx').mov('r10d', 8);
  call(code, 'rt_sigprocmask');
  setNoNewPrivs(code);
  if (options.isTraced) installFilter(code, 0);
  else installWithListener(code);
  if (options.filter && !options.isTraced) proveFilter(code);
  code.mov(LISTENER, 'rax').test('rax', 'rax').jcc('ns', 'execute');
  code.mov('edi', 125).jmp('leave').label('execute');
  executeTarget(code);
  code.mov(EXEC_ERRNO, 'r13');
  exitAfterFailedExec(code);
}

/** Tells Selkie who waits here. Nothing is executed where Selkie has gone, or may not trace. The guard sends nothing before the filter is there. */
function awaitTracer(code: Assembler, socket: number): void {
  call(code, 'getpid');
  code
    .mov32(at('rbp', MESSAGE), GUARD_TRACEE)
    .mov(at('rbp', MESSAGE + 4), 'eax')
    .call('send')
    .push(0);
  code.mov('edi', socket).mov('rsi', 'rsp').mov('edx', 1);
  call(code, 'read').cmp('rax', 1).jcc('e', 'traced').mov('edi', 125).jmp('leave').label('traced');
}

/** seccomp(2); the listener, 0 or -errno is in rax. */
function installFilter(code: Assembler, flags: number): void {
  code.mov('edi', SECCOMP_SET_MODE_FILTER).mov('esi', flags).lea('rdx', 'fprog');
  call(code, 'seccomp');
}

function installWithListener(code: Assembler): void {
  installFilter(code, FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV);
  code.cmp('rax', -EINVAL).jcc('ne', 'installed');
  // WAIT_KILLABLE_RECV came in 5.19.
  installFilter(code, FLAG_NEW_LISTENER);
  code.label('installed');
}

/** The listener or -errno is in rax, before and after. */
function proveFilter(code: Assembler): void {
  code.mov('rbx', 'rax').test('rax', 'rax').jcc('s', 'proven');
  code.mov('edi', PROBE_OPERATION).mov('esi', PROBE_ARGUMENT).xor('edx', 'edx');
  call(code, 'seccomp').cmp('rax', -PROBE_ERRNO).jcc('e', 'proven').mov('rbx', -EOPNOTSUPP);
  code.label('proven').mov('rax', 'rbx');
}

function data(code: Assembler, options: GuardOptions): void {
  code.align(8).label('blocked').u64(options.blocked).label('signals').u64(GUARD_SIGNALS);
  code.label('pause').u64(0n).u64(PAUSE_NS).label('second').u64(LISTEN_S).u64(0n);
  code.label('childrenPath').text(CHILDREN_PATH);
}
