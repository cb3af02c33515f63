import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION } from '../../facts/seccomp.ts';
import { type AssemblerA64, at64, type MemoryA64 } from '../asm-aarch64.ts';
import { emitProgram, emitTarget } from '../static-file.ts';
import { AT_FDCWD } from './answerer-state.ts';
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
  callAarch64 as call,
  executeTargetAarch64 as executeTarget,
  exitAfterFailedExecAarch64 as exitAfterFailedExec,
  loadEnvironmentAarch64 as loadEnvironment,
  resetSignalsAarch64 as resetSignals,
  setNoNewPrivsAarch64 as setNoNewPrivs,
  staticElfAarch64,
} from './static-aarch64.ts';

/** The guard for AArch64: guard-x86-64.ts says what it does. x28 = envp, x29 = state, x26 = own pid, x25 = the target's. */

const state = (offset: number): MemoryA64 => at64('x29', offset);
const LISTENER = state(GUARD_STATE.listener);
const EXEC_ERRNO = state(GUARD_STATE.execErrno);
const TARGET_ALIVE = state(GUARD_STATE.targetAlive);
const { status: STATUS, message: MESSAGE, iovec: IOVEC, header: HEADER, control: CONTROL } = GUARD_STATE;
const { siginfo: SIGINFO, children: CHILDREN } = GUARD_STATE;

/** Generates the guard. @returns a static ELF file for AArch64 */
export function guardAarch64(options: GuardOptions): Uint8Array {
  return staticElfAarch64((code, addressOf) => {
    begin(code, options);
    startChild(code);
    guardListener(code);
    guardLoop(code, options);
    killAll(code);
    sendFunctions(code, options);
    child(code, options);
    data(code, options);
    emitProgram(code, options.filter ?? NOTIFY_ALL, addressOf);
    // Last, as it may be longer than adr reaches.
    code.align(8).label('argvAddress').u64(addressOf('argv')).label('shellArgvAddress').u64(addressOf('shellArgv'));
    emitTarget(code, options.target, addressOf);
  });
}

/** prctl(option, value, 0, 0, 0) */
function prctl(code: AssemblerA64, option: number, value: number): AssemblerA64 {
  return call(code.mov('x0', option).mov('x1', value).mov('x2', 0).mov('x3', 0).mov('x4', 0), 'prctl');
}

function begin(code: AssemblerA64, options: GuardOptions): void {
  loadEnvironment(code.bti('jc'));
  code.mov('x1', 'sp').sub('x1', 'x1', ROOM).lsr('x1', 'x1', 6).lsl('x29', 'x1', 6);
  code.sub('x1', 'x29', ROOM).mov('sp', 'x1').mov('x1', NOT_YET).str('x1', LISTENER);
  code.str('xzr', EXEC_ERRNO).str('xzr', TARGET_ALIVE);
  call(code.mov('x0', options.socket).mov('x1', F_SETFD).mov('x2', 1), 'fcntl');
  prctl(code, PR_SET_CHILD_SUBREAPER, 1);
  prctl(code, PR_SET_PDEATHSIG, DEATH_SIGNAL);
  // A parent that died before the line above sends nothing any more.
  call(code, 'getppid').mov('w1', options.parent).cmp('w0', 'w1').bif('ne', 'end');
  call(code, 'getpid').mov('x26', 'x0');
}

function startChild(code: AssemblerA64): void {
  code
    .mov('x0', CLONE_VM_FILES | SIGCHLD)
    .mov('x1', 'x29')
    .mov('x2', 0)
    .mov('x3', 0)
    .mov('x4', 0);
  call(code, 'clone').cbz('x0', 'child').tbnz('x0', 63, 'end').mov('x25', 'x0').mov('x1', 1).str('x1', TARGET_ALIVE);
}

function guardListener(code: AssemblerA64): void {
  const isAnswered = (): AssemblerA64 =>
    code.ldr('x0', LISTENER).mov('x1', NOT_YET).cmp('x0', 'x1').bif('ne', 'answered');
  code.label('waitListener');
  isAnswered();
  // The child may have been killed on its way: then its status is the first and last message.
  waitFor(code, 'x25', WNOHANG | WALL)
    .cmp('x0', 'x25')
    .bif('ne', 'notDead');
  isAnswered().bl('sendStatus').b('end');
  call(code.label('notDead').adr('x0', 'pause').mov('x1', 0), 'nanosleep').b('waitListener');
  code.label('answered').tbnz('x0', 63, 'refused').mov('x20', 'x0');
  message(code, GUARD_LISTENER, 'w25').mov('x0', 'x20').bl('sendWithDescriptor').mov('x0', 'x20');
  call(code, 'close').b('loop');
  message(code.label('refused').neg('x20', 'x0'), GUARD_REFUSED, 'w20').bl('send');
}

/** The message's first two words. */
function message(code: AssemblerA64, kind: number, value: 'w20' | 'w25'): AssemblerA64 {
  return code
    .mov('w1', kind)
    .str('w1', state(MESSAGE))
    .str(value, state(MESSAGE + 4));
}

function guardLoop(code: AssemblerA64, options: GuardOptions): void {
  waitFor(code.label('loop'), -1, WNOHANG | WUNTRACED | WCONTINUED | WALL);
  code.cbz('x0', 'waitSignal').tbnz('x0', 63, 'end').cmp('x0', 'x25').bif('ne', 'loop').bl('sendStatus').b('loop');
  code.label('waitSignal').adr('x0', 'signals').add('x1', 'x29', SIGINFO).adr('x2', 'second').mov('x3', 8);
  call(code, 'rt_sigtimedwait').mov('x20', 'x0');
  call(code, 'getppid').mov('w1', options.parent).cmp('w0', 'w1').bif('ne', 'killAll');
  for (const signal of [GUARD_KILL_SIGNAL, DEATH_SIGNAL]) code.cmp('x20', signal).bif('eq', 'killAll');
  code.cmp('x20', SIGCHLD).bif('eq', 'loop').tbnz('x20', 63, 'loop');
  message(code, GUARD_SIGNAL, 'w20');
  // siginfo_t: signal, errno, code, 4 bytes, pid (include/uapi/asm-generic/siginfo.h).
  code.ldr('w0', state(SIGINFO + 8)).str('w0', state(MESSAGE + 8));
  code
    .ldr('w0', state(SIGINFO + 16))
    .str('w0', state(MESSAGE + 12))
    .bl('send')
    .b('loop');
}

function killAll(code: AssemblerA64): void {
  code.label('killAll').ldr('x0', TARGET_ALIVE).cbz('x0', 'readChildren').mov('x0', 'x25').mov('x1', SIGKILL);
  call(code, 'kill').label('readChildren').mov('x0', AT_FDCWD).adr('x1', 'childrenPath').mov('x2', 0).mov('x3', 0);
  call(code, 'openat').mov('x20', 'x0').tbnz('x0', 63, 'reapOne');
  code.label('readMore').mov('x0', 'x20').add('x1', 'x29', CHILDREN).mov('x2', CHILDREN_SIZE);
  call(code, 'read').cmp('x0', 0).bif('le', 'closeChildren');
  code.add('x21', 'x29', CHILDREN).add('x22', 'x21', 'x0').mov('x23', 0);
  // Decimal pids, each followed by a space: ten times what there was, and the digit.
  code.label('nextByte').cmp('x21', 'x22').bif('hs', 'readMore').ldrbPost('w0', 'x21', 1).cmp('w0', 0x20);
  code.bif('eq', 'killOne').lsl('x1', 'x23', 3).add('x1', 'x1', 'x23').add('x1', 'x1', 'x23').sub('x0', 'x0', 0x30);
  code.add('x23', 'x1', 'x0').b('nextByte').label('killOne').mov('x0', 'x23').mov('x1', SIGKILL);
  call(code, 'kill').mov('x23', 0).b('nextByte').label('closeChildren').mov('x0', 'x20');
  call(code, 'close').label('reapOne');
  waitFor(code, -1, WALL).cmp('x0', -ECHILD).bif('eq', 'end');
  code.cmp('x0', 'x25').bif('ne', 'killAll').bl('sendStatus').b('killAll');
  call(code.label('end').mov('x0', 0), 'exit_group').label('ended').udf().b('ended');
}

/** wait4(pid, &status, options, 0); the result is in x0. */
function waitFor(code: AssemblerA64, pid: 'x25' | -1, options: number): AssemblerA64 {
  return call(code.mov('x0', pid).add('x1', 'x29', STATUS).mov('x2', options).mov('x3', 0), 'wait4');
}

/** Functions: sendStatus (of the target, in STATUS), send (MESSAGE), sendWithDescriptor (MESSAGE, descriptor in x0). */
function sendFunctions(code: AssemblerA64, options: GuardOptions): void {
  message(code.label('sendStatus'), GUARD_STATUS, 'w25');
  code.ldr('w0', state(STATUS)).str('w0', state(MESSAGE + 8));
  code.ldr('w1', EXEC_ERRNO).str('w1', state(MESSAGE + 12));
  // 0x..7f: stopped; 0xffff: continued. All else is the end of the target: its pid is no longer ours to kill.
  code.lsl('x1', 'x0', 57).lsr('x1', 'x1', 57).cmp('x1', 0x7f).bif('eq', 'send').str('xzr', TARGET_ALIVE);
  code.label('send').mov('x3', 0).b('sendAny').label('sendWithDescriptor').mov('x1', CMSG_LENGTH);
  code
    .str('x1', state(CONTROL))
    .mov('w1', SOL_SOCKET)
    .str('w1', state(CONTROL + 8));
  code
    .mov('w1', SCM_RIGHTS)
    .str('w1', state(CONTROL + 12))
    .str('x0', state(CONTROL + 16))
    .mov('x3', CMSG_SPACE);
  code.label('sendAny').add('x1', 'x29', MESSAGE).str('x1', state(IOVEC)).mov('x1', 16);
  code
    .str('x1', state(IOVEC + 8))
    .str('xzr', state(HEADER))
    .str('xzr', state(HEADER + 8));
  code
    .add('x1', 'x29', IOVEC)
    .str('x1', state(HEADER + 16))
    .mov('x1', 1)
    .str('x1', state(HEADER + 24));
  code
    .add('x1', 'x29', CONTROL)
    .str('x1', state(HEADER + 32))
    .str('x3', state(HEADER + 40));
  code
    .str('xzr', state(HEADER + 48))
    .mov('x0', options.socket)
    .add('x1', 'x29', HEADER)
    .mov('x2', MSG_NOSIGNAL);
  call(code, 'sendmsg').ret();
}

function child(code: AssemblerA64, options: GuardOptions): void {
  prctl(code.label('child'), PR_SET_PDEATHSIG, SIGKILL);
  call(code, 'getppid').cmp('x0', 'x26').bif('ne', 'end');
  resetSignals(code);
  code.mov('x0', SIG_SETMASK).adr('x1', 'blocked').mov('x2', 0).mov('x3', 8);
  call(code, 'rt_sigprocmask');
  setNoNewPrivs(code);
  installFilter(code, FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV);
  code.cmp('x0', -EINVAL).bif('ne', 'installed');
  // WAIT_KILLABLE_RECV came in 5.19.
  installFilter(code, FLAG_NEW_LISTENER);
  code.label('installed').mov('x20', 'x0').tbnz('x0', 63, 'proven');
  if (options.filter) proveFilter(code);
  code.label('proven').str('x20', LISTENER).tbnz('x20', 63, 'notInstalled');
  executeTarget(code);
  code.str('x21', EXEC_ERRNO);
  exitAfterFailedExec(code);
  code.label('notInstalled').mov('x0', 125).b('leave');
}

/** seccomp(2); the listener or -errno is in x0. */
function installFilter(code: AssemblerA64, flags: number): void {
  call(code.mov('x0', SECCOMP_SET_MODE_FILTER).mov('x1', flags).adr('x2', 'fprog'), 'seccomp');
}

/** The listener is in x20 before, and after too unless it is -errno. */
function proveFilter(code: AssemblerA64): void {
  call(code.mov('x0', PROBE_OPERATION).mov('x1', PROBE_ARGUMENT).mov('x2', 0), 'seccomp');
  code.cmp('x0', -PROBE_ERRNO).bif('eq', 'proven').mov('x20', -EOPNOTSUPP);
}

function data(code: AssemblerA64, options: GuardOptions): void {
  code.align(8).label('blocked').u64(options.blocked).label('signals').u64(GUARD_SIGNALS);
  code.label('pause').u64(0n).u64(PAUSE_NS).label('second').u64(LISTEN_S).u64(0n);
  code.label('childrenPath').text(CHILDREN_PATH);
}
