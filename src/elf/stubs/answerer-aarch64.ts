import { MARK_ARGUMENT } from '../../facts/seccomp.ts';
import { type AssemblerA64, at64, type MemoryA64 } from '../asm-aarch64.ts';
import {
  AT_FDCWD,
  CLONE_THREAD_FLAGS,
  CLONE_VFORK,
  CLONE_VM,
  CONTINUE,
  EINTR,
  ENOENT,
  NOT_YET,
  O_CLOEXEC,
  O_RDWR,
  SECCOMP_IOCTL_NOTIF_RECV,
  SECCOMP_IOCTL_NOTIF_SEND,
  STATE,
  WALL,
} from './answerer-state.ts';
import { BTI_C, CAVE_CODE, entryMark } from './entry-mark-aarch64.ts';
import { callAarch64 as call, NR_AARCH64 as NR } from './static-aarch64.ts';

/** Who answers what `start:` alone permits, for AArch64: answerer-x86-64.ts says how. Offsets from x29, the state. */

const state = (offset: number): MemoryA64 => at64('x29', offset);
const LISTENER = state(STATE.listener);
const FOLLOWER = state(STATE.follower);
const PROC = state(STATE.proc);
const PLANTED = state(STATE.planted);

const AUDIT_ARCH_AARCH64 = 0xc000_00b7;
// O_DIRECTORY is another bit here than on x86-64: arch/arm64/include/uapi/asm/fcntl.h.
const O_PATH_DIRECTORY = 0o10040000;

export function startAnswerer(code: AssemblerA64, hasFollower: boolean): void {
  code.adr('x26', 'answererText').str('xzr', PLANTED);
  if (hasFollower) {
    code
      .mov('x0', AT_FDCWD)
      .adr('x1', 'procPath')
      .mov('x2', O_PATH_DIRECTORY | O_CLOEXEC);
    call(code, 'openat').tbnz('x0', 63, 'failed').str('x0', PROC);
  }
  clone(code, CLONE_THREAD_FLAGS, 0, 'answerer', 'failed');
}

export function askForAnswerer(code: AssemblerA64): void {
  code.adr('x26', 'answererText').mov('x0', 0).mov('x1', MARK_ARGUMENT).mov('x2', 0);
  call(code, 'seccomp').cbnz('x0', 'failed');
}

/** clone(flags, x29 + stack), no exit signal; the child goes to `child` with all registers of its parent but sp and x0. A 0 that is not the kernel's leaves sp. */
function clone(code: AssemblerA64, flags: number, stack: number, child: string, failed: string): AssemblerA64 {
  code.mov('x0', flags).sub('x1', 'x29', -stack).mov('x2', 0).mov('x3', 0).mov('x4', 0);
  call(code, 'clone').tbnz('x0', 63, failed).cbnz('x0', `${child}Made`);
  return code.mov('x2', 'sp').cmp('x2', 'x1').bif('eq', child).b(failed).label(`${child}Made`);
}

export function emitAnswerer(code: AssemblerA64, hasFollower: boolean): void {
  code.label('answerer').ldr('x0', LISTENER).tbnz('x0', 63, 'notYet').b('receiveNext').label('notYet');
  call(code, 'sched_yield').b('answerer');
  code.label('receiveNext').bl('receive').cbz('x0', 'received');
  for (const errno of [EINTR, ENOENT]) code.cmp('x0', -errno).bif('eq', 'receiveNext');
  // No call has the id 0: an outer filter answered in the kernel's place.
  code.b('answererFailed').label('received').ldr('x1', state(STATE.notice)).cbz('x1', 'answererFailed');
  code.mov('x10', CONTINUE).bl('isMark').bif('ne', 'answer');
  if (hasFollower) startFollower(code);
  code.mov('x10', 0).label('answer').mov('x11', 0).bl('send').cbz('x0', 'receiveNext');
  code.cmp('x0', -ENOENT).bif('eq', 'receiveNext').label('answererFailed').adr('x26', 'answererText').b('failed');
  emitNotices(code);
  if (hasFollower) emitFollower(code);
}

/** Functions: receive, send (with the value in x11 and the flags in x10), isMark (equal or not). */
function emitNotices(code: AssemblerA64): void {
  code.label('receive');
  for (let offset = 0; offset < STATE.noticeSize; offset += 8) code.str('xzr', state(STATE.notice + offset));
  code.ldr('x0', LISTENER).mov('x1', SECCOMP_IOCTL_NOTIF_RECV).add('x2', 'x29', STATE.notice);
  call(code, 'ioctl').ret();
  code
    .label('send')
    .str('x11', state(STATE.answer + 8))
    .str('wzr', state(STATE.answer + 16))
    .str('w10', state(STATE.answer + 20));
  code
    .ldr('x0', state(STATE.notice))
    .str('x0', state(STATE.answer))
    .ldr('x0', LISTENER)
    .mov('x1', SECCOMP_IOCTL_NOTIF_SEND);
  call(code.add('x2', 'x29', STATE.answer), 'ioctl').ret();
  code
    .label('isMark')
    .ldr('w0', state(STATE.notice + 16))
    .cmp('w0', NR.seccomp)
    .bif('ne', 'noMark');
  code
    .ldr('w0', state(STATE.notice + 40))
    .mov('w1', MARK_ARGUMENT)
    .cmp('w0', 'w1')
    .label('noMark')
    .ret();
}

function startFollower(code: AssemblerA64): void {
  const PR_SET_PTRACER = 0x5961_6d61;
  code.ldr('x0', PLANTED).cbnz('x0', 'followed').mov('x0', 1).str('x0', PLANTED);
  code.add('x0', 'x29', STATE.pipe).mov('x1', O_CLOEXEC);
  call(code, 'pipe2').cbnz('x0', 'answererFailed').mov('x0', NOT_YET).str('x0', FOLLOWER);
  clone(code, CLONE_VM | CLONE_VFORK, STATE.childStack, 'child', 'answererFailed');
  code.mov('x20', 'x0').label('reap').mov('x0', 'x20').mov('x1', 0).mov('x2', WALL).mov('x3', 0);
  call(code, 'wait4').cmp('x0', -EINTR).bif('eq', 'reap').ldr('x1', FOLLOWER).tbnz('x1', 63, 'answererFailed');
  code.mov('x0', PR_SET_PTRACER).mov('x2', 0).mov('x3', 0).mov('x4', 0);
  call(code, 'prctl').label('followed');
}

function emitFollower(code: AssemblerA64): void {
  code.label('child');
  clone(code, CLONE_VM, STATE.followerStack, 'follower', 'gone').str('x0', FOLLOWER).label('gone').mov('x0', 0);
  call(code, 'exit_group').label('goneDead').udf().b('goneDead');
  waitForExec(code);
  readVector(code);
  follow(code);
  plant(code);
  code.label('followerFailed').neg('x25', 'x0').mov('x24', 0).adr('x2', 'followText').bl('complain').b('gone');
}

function waitForExec(code: AssemblerA64): void {
  const EBADF = 9;
  const close = (): AssemblerA64 => call(code.ldr('w0', state(STATE.pipe + 4)), 'close');
  code.label('follower');
  close().cbnz('x0', 'followerFailed');
  close().cmp('x0', -EBADF).bif('ne', 'followerFailed');
  code.label('waitForExec').ldr('w0', state(STATE.pipe)).add('x1', 'x29', STATE.byte).mov('x2', 1);
  call(code, 'read').cmp('x0', -EINTR).bif('eq', 'waitForExec').tbnz('x0', 63, 'followerFailed').str('xzr', PLANTED);
}

/** x19 = AT_ENTRY, x20 = AT_BASE, x21 = the vector's file, later that of the memory. */
function readVector(code: AssemblerA64): void {
  const [AT_BASE, AT_ENTRY] = [7, 9];
  open(code, 'auxvName', O_CLOEXEC).mov('x21', 'x0').mov('x22', 0);
  code
    .label('readVector')
    .mov('x0', 'x21')
    .add('x1', 'x29', STATE.auxv)
    .mov('x2', STATE.auxvSize - 16)
    .mov('x3', 0);
  code.str('xzr', state(STATE.auxv));
  call(code, 'pread64').cmp('x0', 0).bif('le', 'gone').mov('x19', 0).mov('x20', 0);
  code
    .str('xzr', state(STATE.auxv + STATE.auxvSize - 16))
    .add('x1', 'x29', STATE.auxv)
    .label('nextEntry');
  code.ldr('x2', at64('x1')).ldr('x3', at64('x1', 8)).add('x1', 'x1', 16).cbz('x2', 'vectorEnd');
  code.cmp('x2', AT_BASE).bif('ne', 'notBase').mov('x20', 'x3').label('notBase');
  code.cmp('x2', AT_ENTRY).bif('ne', 'nextEntry').mov('x19', 'x3').b('nextEntry').label('vectorEnd');
  code.cbz('x19', 'readLater').add('x22', 'x22', 1).cmp('x22', 2).bif('eq', 'vectorRead').label('readLater');
  call(code, 'sched_yield').b('readVector').label('vectorRead').cbz('x20', 'gone');
}

/** See answerer-x86-64.ts: EACCES may pass. */
function open(code: AssemblerA64, name: string, flags: number): AssemblerA64 {
  const [ESRCH, EACCES, MOST_TRIES] = [3, 13, 100_000];
  code.mov('x24', MOST_TRIES).label(`${name}Again`).ldr('x0', PROC).adr('x1', name).mov('x2', flags);
  call(code, 'openat').cmp('x0', -EACCES).bif('ne', `${name}Opened`);
  code.sub('x24', 'x24', 1).cbz('x24', `${name}Opened`);
  call(code, 'sched_yield').b(`${name}Again`).label(`${name}Opened`);
  for (const errno of [ENOENT, ESRCH]) code.cmp('x0', -errno).bif('eq', 'gone');
  return code.tbnz('x0', 63, 'followerFailed');
}

function follow(code: AssemblerA64): void {
  const [POLLIN, POLLHUP_BIT, SILENCE_S, LOADER_SIZE, EXECVEAT, SIGKILL] = [1, 4, 10, 0x10_0000, 281, 9];
  open(code, 'memName', O_RDWR | O_CLOEXEC).mov('x21', 'x0');
  code
    .label('follow')
    .ldr('x0', LISTENER)
    .str('w0', state(STATE.poll))
    .mov('x0', POLLIN)
    .str('w0', state(STATE.poll + 4));
  // ppoll(2) writes back what is left of the time.
  code
    .mov('x0', SILENCE_S)
    .str('x0', state(STATE.silence))
    .str('xzr', state(STATE.silence + 8));
  code.add('x0', 'x29', STATE.poll).mov('x1', 1).add('x2', 'x29', STATE.silence).mov('x3', 0).mov('x4', 0);
  call(code, 'ppoll').cmp('x0', -EINTR).bif('eq', 'follow').cmp('x0', 0).bif('le', 'gone');
  code
    .ldr('w0', state(STATE.poll + 4))
    .tbnz('w0', 16 + POLLHUP_BIT, 'gone')
    .bl('receive')
    .cbnz('x0', 'follow');
  code
    .ldr('w0', state(STATE.notice + 20))
    .mov('w1', AUDIT_ARCH_AARCH64)
    .cmp('w0', 'w1')
    .bif('ne', 'gone');
  code.ldr('w0', state(STATE.notice + 16));
  for (const nr of [NR.execve, EXECVEAT]) code.cmp('w0', nr).bif('eq', 'gone');
  code.bl('isMark').bif('eq', 'atEntry').ldr('x0', PLANTED).cbnz('x0', 'permit');
  code
    .ldr('x0', state(STATE.notice + 24))
    .sub('x0', 'x0', 'x20')
    .cmp('x0', LOADER_SIZE)
    .bif('hs', 'gone');
  code.bl('plant').mov('x0', 1).str('x0', PLANTED);
  code.label('permit').mov('x10', CONTINUE).mov('x11', 0).bl('send').b('follow');
  code.label('atEntry').add('x1', 'x29', STATE.saved).mov('x2', ENTRY_SIZE).mov('x3', 'x19').bl('write');
  // x0, the function that ld.so passes to the program, was the call's first argument and is given back as its result.
  code
    .cmp('x0', ENTRY_SIZE)
    .bif('ne', 'endProgram')
    .mov('x10', 0)
    .ldr('x11', state(STATE.notice + 32))
    .bl('send')
    .b('gone');
  call(
    code
      .label('endProgram')
      .ldr('w0', state(STATE.notice + 8))
      .mov('x1', SIGKILL),
    'kill',
  ).b('gone');
}

const ENTRY_CODE = entryMark((code) => code.mov('x8', NR.seccomp).mov('w1', MARK_ARGUMENT));
const ENTRY_SIZE = ENTRY_CODE.length;

/** Functions: plant, and write (x2 bytes from x1 to the address in x3; the result is in x0). */
function plant(code: AssemblerA64): void {
  const E_ENTRY = 24;
  const read = (to: number, size: number): void => {
    code.mov('x0', 'x21').add('x1', 'x29', to).mov('x2', size);
    call(code, 'pread64').cmp('x0', size).bif('ne', 'followerFailed');
  };
  code.label('plant').mov('x23', 'x30').add('x3', 'x20', E_ENTRY);
  read(STATE.cave, 8);
  code.mov('x3', 'x19');
  read(STATE.saved, ENTRY_SIZE);
  code.ldr('x22', state(STATE.cave)).add('x22', 'x22', 'x20').mov('x3', 'x22');
  read(STATE.cave, 8);
  // Code of ours is written in words: ENTRY_SIZE is a multiple of 4.
  code.adr('x1', 'entryCode').add('x2', 'x29', STATE.plant);
  for (let offset = 0; offset < ENTRY_SIZE - 8; offset += 4)
    code.ldr('w0', at64('x1', offset)).str('w0', at64('x2', offset));
  code
    .str('w22', state(STATE.plant + ENTRY_SIZE - 8))
    .lsr('x0', 'x22', 32)
    .str('w0', state(STATE.plant + ENTRY_SIZE - 4));
  code
    .ldr('w0', state(STATE.cave))
    .mov('w1', BTI_C)
    .cmp('w0', 'w1')
    .bif('ne', 'caveFound')
    .add('x22', 'x22', 4)
    .label('caveFound');
  code.adr('x1', 'caveCode').mov('x2', CAVE_CODE.length).mov('x3', 'x22').bl('write');
  code.cmp('x0', CAVE_CODE.length).bif('ne', 'followerFailed');
  code.add('x1', 'x29', STATE.plant).mov('x2', ENTRY_SIZE).mov('x3', 'x19').bl('write');
  code.cmp('x0', ENTRY_SIZE).bif('ne', 'followerFailed').mov('x30', 'x23').ret();
  code.label('write').mov('x0', 'x21');
  call(code, 'pwrite64').ret();
  code.label('entryCode').data(ENTRY_CODE).label('caveCode').data(CAVE_CODE);
}
