import { MARK_ARGUMENT } from '../../facts/seccomp.ts';
import { Assembler, at } from '../asm-x86-64.ts';
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
import { call, NR } from './static-x86-64.ts';

/**
 * Who answers what `start:` alone permits, while it is in force.
 *
 * The *answerer* is a thread of the launcher. It permits the launcher's own execve(2), and ends by it, as all threads but the one that calls do;
 * with it goes the listener, which is close-on-exec: from then on the kernel answers ENOSYS. Nothing is left. When it cannot do its
 * work, it ends the launcher.
 *
 * Where ld.so needs more than that, the answerer first makes the *follower*: a process that has the listener too, of no process's children (init
 * reaps it). When the exec is done (the pipe whose other end was close-on-exec ends) it looks at the auxiliary vector. A static program has
 * no ld.so, and it goes. Else, while ld.so waits in its first call, it plants a mark at the program's entry, the code of
 * observe/boundary.ts with the mark call (facts/seccomp.ts), and answers, but never execve(2), until that arrives. It goes as well when nothing was asked for 10 s.
 */

const LISTENER = at('rbp', STATE.listener);
const FOLLOWER = at('rbp', STATE.follower);
const PROC = at('rbp', STATE.proc);
const PLANTED = at('rbp', STATE.planted);

const AUDIT_ARCH_X86_64 = 0xc000_003e;
const O_PATH_DIRECTORY = 0o10200000;

/** Starts the answerer, and opens what the follower will need of /proc. */
export function startAnswerer(code: Assembler, hasFollower: boolean): void {
  code.lea('rbx', 'answererText').mov(PLANTED, 0);
  if (hasFollower) {
    code
      .mov('rdi', AT_FDCWD)
      .lea('rsi', 'procPath')
      .mov('edx', O_PATH_DIRECTORY | O_CLOEXEC);
    call(code, 'openat').test('rax', 'rax').jcc('s', 'failed').mov(PROC, 'rax');
  }
  clone(code, CLONE_THREAD_FLAGS, 0, 'answerer', 'failed');
}

/** Makes the mark call: 0 says that the answerer has all that it needs. */
export function askForAnswerer(code: Assembler): void {
  code.lea('rbx', 'answererText').xor('edi', 'edi').mov('esi', MARK_ARGUMENT).xor('edx', 'edx');
  call(code, 'seccomp').test('rax', 'rax').jcc('ne', 'failed');
}

/**
 * clone(flags, rbp + stack), no exit signal; the child goes to `child`, with all registers of its parent but rsp and rax. An outer filter that answers 0 in the
 * kernel's place is found out by the stack.
 *
 * @param tid - offset from rbp of the word that CLONE_CHILD_CLEARTID is for
 */
export function clone(
  code: Assembler,
  flags: number,
  stack: number,
  child: string,
  failed: string,
  tid = 0,
): Assembler {
  code.mov('edi', flags).lea('rsi', at('rbp', stack)).xor('edx', 'edx').lea('r10', at('rbp', tid)).xor('r8d', 'r8d');
  call(code, 'clone').test('rax', 'rax').jcc('s', failed).jcc('ne', `${child}Made`);
  return code.cmp('rsp', 'rsi').jcc('e', child).jmp(failed).label(`${child}Made`);
}

/** The code of both. */
export function emitAnswerer(code: Assembler, hasFollower: boolean): void {
  // No call can wake this thread: the policy may refuse every one to the other.
  code.label('answerer').mov('rax', LISTENER).test('rax', 'rax').jcc('ns', 'receiveNext');
  call(code, 'sched_yield').jmp('answerer');
  code.label('receiveNext').call('receive').test('rax', 'rax').jcc('e', 'received');
  for (const errno of [EINTR, ENOENT]) code.cmp('rax', -errno).jcc('e', 'receiveNext');
  // No call has the id 0: an outer filter answered in the kernel's place.
  code.jmp('answererFailed').label('received').cmp(at('rbp', STATE.notice), 0).jcc('e', 'answererFailed');
  code.mov('ecx', CONTINUE).call('isMark').jcc('ne', 'answer');
  if (hasFollower) startFollower(code);
  code.xor('ecx', 'ecx').label('answer').xor('eax', 'eax').call('send').test('rax', 'rax').jcc('e', 'receiveNext');
  code.cmp('rax', -ENOENT).jcc('e', 'receiveNext');
  code.label('answererFailed').lea('rbx', 'answererText').jmp('failed');
  emitNotices(code);
  if (hasFollower) emitFollower(code);
}

/** Functions: receive, send (with the value in rax and the flags in ecx), isMark (equal or not). */
function emitNotices(code: Assembler): void {
  code.label('receive');
  for (let offset = 0; offset < STATE.noticeSize; offset += 8) code.mov(at('rbp', STATE.notice + offset), 0);
  code.mov('rdi', LISTENER).mov('esi', SECCOMP_IOCTL_NOTIF_RECV).lea('rdx', at('rbp', STATE.notice));
  call(code, 'ioctl').ret();
  code
    .label('send')
    .mov(at('rbp', STATE.answer + 8), 'rax')
    .mov32(at('rbp', STATE.answer + 16), 0)
    .mov(at('rbp', STATE.answer + 20), 'ecx');
  code
    .mov('rax', at('rbp', STATE.notice))
    .mov(at('rbp', STATE.answer), 'rax')
    .mov('rdi', LISTENER)
    .mov('esi', SECCOMP_IOCTL_NOTIF_SEND);
  call(code.lea('rdx', at('rbp', STATE.answer)), 'ioctl').ret();
  code
    .label('isMark')
    .cmp32(at('rbp', STATE.notice + 16), NR.seccomp)
    .jcc('ne', 'noMark')
    .cmp32(at('rbp', STATE.notice + 40), MARK_ARGUMENT);
  code.label('noMark').ret();
}

/** By a child that ends at once, so that the follower is nobody's; Yama is told that it may write to this process. */
function startFollower(code: Assembler): void {
  const PR_SET_PTRACER = 0x5961_6d61;
  // The mark may be asked twice, where a signal interrupts it.
  code.cmp(PLANTED, 0).jcc('ne', 'followed').mov(PLANTED, 1);
  code.lea('rdi', at('rbp', STATE.pipe)).mov('esi', O_CLOEXEC);
  call(code, 'pipe2').test('rax', 'rax').jcc('ne', 'answererFailed').mov(FOLLOWER, NOT_YET);
  clone(code, CLONE_VM | CLONE_VFORK, STATE.childStack, 'child', 'answererFailed');
  code.mov('r13', 'rax').label('reap').mov('rdi', 'r13').xor('esi', 'esi').mov('edx', WALL).xor('r10d', 'r10d');
  call(code, 'wait4').cmp('rax', -EINTR).jcc('e', 'reap');
  code.mov('rax', FOLLOWER).test('rax', 'rax').jcc('s', 'answererFailed');
  code.mov('edi', PR_SET_PTRACER).mov('rsi', 'rax').xor('edx', 'edx').xor('r10d', 'r10d').xor('r8d', 'r8d');
  call(code, 'prctl').label('followed');
}

function emitFollower(code: Assembler): void {
  code.label('child');
  clone(code, CLONE_VM, STATE.followerStack, 'follower', 'gone').mov(FOLLOWER, 'rax').label('gone');
  code.xor('edi', 'edi');
  call(code, 'exit_group').label('goneDead').hlt().jmp('goneDead');
  waitForExec(code);
  readVector(code);
  follow(code);
  plant(code);
  code.label('followerFailed').mov('r13', 'rax').neg('r13').xor('r12d', 'r12d').lea('rsi', 'followText');
  code.call('complain').jmp('gone');
}

/** The pipe's end is all that is read from it; it never comes while this process has the other end itself. */
function waitForExec(code: Assembler): void {
  const EBADF = 9;
  const close = (): Assembler => call(code.mov('edi', at('rbp', STATE.pipe + 4)), 'close');
  code.label('follower');
  close().test('rax', 'rax').jcc('ne', 'followerFailed');
  close().cmp('rax', -EBADF).jcc('ne', 'followerFailed');
  code.label('waitForExec').mov('edi', at('rbp', STATE.pipe)).lea('rsi', at('rbp', STATE.byte)).mov('edx', 1);
  call(code, 'read').cmp('rax', -EINTR).jcc('e', 'waitForExec').test('rax', 'rax').jcc('s', 'followerFailed');
  code.mov(PLANTED, 0);
}

/** r12 = AT_ENTRY, r14 = AT_BASE. The kernel writes the vector after the end of the pipe: read until it is there, and once more. */
function readVector(code: Assembler): void {
  const [AT_BASE, AT_ENTRY] = [7, 9];
  open(code, 'auxvName', O_CLOEXEC).mov('r15', 'rax').xor('ebx', 'ebx');
  code
    .label('readVector')
    .mov('rdi', 'r15')
    .lea('rsi', at('rbp', STATE.auxv))
    .mov('edx', STATE.auxvSize - 16)
    .xor('r10d', 'r10d');
  code.mov(at('rbp', STATE.auxv), 0);
  call(code, 'pread64').test('rax', 'rax').jcc('le', 'gone').xor('r12d', 'r12d').xor('r14d', 'r14d');
  code
    .mov(at('rbp', STATE.auxv + STATE.auxvSize - 16), 0)
    .lea('rsi', at('rbp', STATE.auxv))
    .label('nextEntry');
  code.mov('rax', at('rsi')).mov('rdx', at('rsi', 8)).add('rsi', 16).test('rax', 'rax').jcc('e', 'vectorEnd');
  code.cmp('rax', AT_BASE).jcc('ne', 'notBase').mov('r14', 'rdx').label('notBase');
  code.cmp('rax', AT_ENTRY).jcc('ne', 'nextEntry').mov('r12', 'rdx').jmp('nextEntry').label('vectorEnd');
  code.test('r12', 'r12').jcc('e', 'readLater').inc('ebx').cmp('ebx', 2).jcc('e', 'vectorRead').label('readLater');
  call(code, 'sched_yield').jmp('readVector');
  code.label('vectorRead').test('r14', 'r14').jcc('e', 'gone');
}

/** rax = a file of the process's folder in /proc. It has ended where there is none. */
function open(code: Assembler, name: string, flags: number): Assembler {
  const ESRCH = 3;
  code.mov('rdi', PROC).lea('rsi', name).mov('edx', flags);
  call(code, 'openat');
  for (const errno of [ENOENT, ESRCH]) code.cmp('rax', -errno).jcc('e', 'gone');
  return code.test('rax', 'rax').jcc('s', 'followerFailed');
}

/** Answers until the mark arrives. The first call must be ld.so's own: its code is the only one in the MiB from its base on. */
function follow(code: Assembler): void {
  const [POLLIN, POLLHUP, SILENCE_MS, LOADER_SIZE, EXECVEAT, SIGKILL] = [1, 16, 10_000, 0x10_0000, 322, 9];
  open(code, 'memName', O_RDWR | O_CLOEXEC).mov('r15', 'rax');
  code
    .label('follow')
    .mov('rax', LISTENER)
    .mov(at('rbp', STATE.poll), 'eax')
    .mov32(at('rbp', STATE.poll + 4), POLLIN);
  code.lea('rdi', at('rbp', STATE.poll)).mov('esi', 1).mov('edx', SILENCE_MS);
  call(code, 'poll').cmp('rax', -EINTR).jcc('e', 'follow').test('rax', 'rax').jcc('le', 'gone');
  code
    .mov('eax', at('rbp', STATE.poll + 4))
    .shr('eax', 16)
    .test('eax', POLLHUP)
    .jcc('ne', 'gone');
  code.call('receive').test('rax', 'rax').jcc('ne', 'follow');
  code.cmp32(at('rbp', STATE.notice + 20), AUDIT_ARCH_X86_64).jcc('ne', 'gone');
  for (const nr of [NR.execve, EXECVEAT]) code.cmp32(at('rbp', STATE.notice + 16), nr).jcc('e', 'gone');
  code.call('isMark').jcc('e', 'atEntry').cmp(PLANTED, 0).jcc('ne', 'permit');
  code
    .mov('rax', at('rbp', STATE.notice + 24))
    .sub('rax', 'r14')
    .cmp('rax', LOADER_SIZE)
    .jcc('ae', 'gone');
  code.call('plant').mov(PLANTED, 1);
  code.label('permit').mov('ecx', CONTINUE).xor('eax', 'eax').call('send').jmp('follow');
  code.label('atEntry').lea('rsi', at('rbp', STATE.saved)).mov('edx', ENTRY_SIZE).mov('r10', 'r12').call('write');
  // What the program's registers held is given back as the call's result.
  code
    .cmp('rax', ENTRY_SIZE)
    .jcc('ne', 'endProgram')
    .xor('ecx', 'ecx')
    .mov('rax', at('rbp', STATE.notice + 32))
    .call('send')
    .jmp('gone');
  code
    .label('endProgram')
    .mov('edi', at('rbp', STATE.notice + 8))
    .mov('esi', SIGKILL);
  call(code, 'kill').jmp('gone');
}

/**
 * The code that is planted: at the entry it makes the mark call from ld.so's first instructions, the cave, which have run and never run
 * again, and returns to the entry, where the old bytes are by then. rax, rcx, rsi, r10, r11 are free there.
 */
function entryCode(): Uint8Array {
  const code = new Assembler().label('entry').mov('eax', NR.seccomp).mov('esi', MARK_ARGUMENT).lea('r10', 'entry');
  return code.mov('r11', 0x7fff_ffff_ffffn).jmp('r11').assemble();
}
const ENTRY_CODE = entryCode();
const ENTRY_SIZE = ENTRY_CODE.length;
/** Where the cave's address stands: before the jump of three bytes. */
const CAVE_ADDRESS = ENTRY_SIZE - 3 - 8;
const CAVE_CODE = new Assembler().syscall().jmp('r10').assemble();

/** Functions: plant, and write (edx bytes from rsi to the address in r10; the result is in rax). */
function plant(code: Assembler): void {
  const E_ENTRY = 24;
  const read = (address: () => void, to: number, size: number): void => {
    code.mov('rdi', 'r15').lea('rsi', at('rbp', to)).mov('edx', size);
    address();
    call(code, 'pread64').cmp('rax', size).jcc('ne', 'followerFailed');
  };
  code.label('plant');
  read(() => code.lea('r10', at('r14', E_ENTRY)), STATE.cave, 8);
  read(() => code.mov('r10', 'r12'), STATE.saved, ENTRY_SIZE);
  code.lea('rsi', 'entryCode').lea('rdi', at('rbp', STATE.plant)).mov('ecx', ENTRY_SIZE).cld().repMovsb();
  code
    .mov('r10', at('rbp', STATE.cave))
    .add('r10', 'r14')
    .mov(at('rbp', STATE.plant + CAVE_ADDRESS), 'r10');
  code.lea('rsi', 'caveCode').mov('edx', CAVE_CODE.length).call('write');
  code.cmp('rax', CAVE_CODE.length).jcc('ne', 'followerFailed');
  code.lea('rsi', at('rbp', STATE.plant)).mov('edx', ENTRY_SIZE).mov('r10', 'r12').call('write');
  code.cmp('rax', ENTRY_SIZE).jcc('ne', 'followerFailed').ret();
  code.label('write').mov('rdi', 'r15');
  call(code, 'pwrite64').ret();
  code.label('entryCode').data(ENTRY_CODE).label('caveCode').data(CAVE_CODE);
}
