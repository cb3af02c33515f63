import { ARCHES } from '../../facts/arches.ts';
import { Assembler, at } from '../asm-x86-64.ts';

/**
 * The receive loop for calls that are known already, as machine code: poll, receive, count, let through, again. It leaves to its caller
 * whatever it does not know. A function of the C ABI: `int loop(struct state *)`.
 *
 *     state + 0     struct pollfd[3]: listener, and two more that only end the loop
 *     state + 32    struct seccomp_notif (80 bytes)
 *     state + 160   struct seccomp_notif_resp
 *     state + 192   listener (u32)
 *     state + 200   address of the task table: 64 entries of u32 tid, u32 unused, u64 address of the task's counts
 *
 * Counts are u64 by number of x86_64, 0 for a number that is not known. A task's entry is that of its id's low six bits.
 */
export const LOOP_STATE = { poll: 0, notif: 32, response: 160, listener: 192, tasks: 200, size: 208 } as const;
export const LOOP_TASKS = 64;
export const LOOP_TASK_SIZE = 16;
export const LOOP_NUMBERS = 512;

/** Results: look at the poll set; a received call in `notif` is the caller's to answer; -errno of an ioctl that should not fail. */
export const LOOP_POLLED = 0;
export const LOOP_RECEIVED = 1;

/** Most calls that are served before the loop ends by itself, so that its caller can tell how far it is. */
const LIMIT = 20_000;
const POLL = 7;
const IOCTL = 16;
const SECCOMP_IOCTL_NOTIF_RECV = 0xc050_2100;
const SECCOMP_IOCTL_NOTIF_SEND = 0xc018_2101;
const NOTIF_WORDS = 10;
const ENOENT = 2;
const EINTR = 4;
const POLLIN = 1;

/** Generates the function. */
export function receiveLoopCode(): Uint8Array {
  const code = new Assembler().endbr64().push('rbx').push('rbp').mov('rbx', 'rdi').mov('ebp', LIMIT);
  code.label('next').dec('ebp').jcc('e', 'polled');
  code.lea('rdi', at('rbx', LOOP_STATE.poll)).mov('esi', 3).mov('rdx', -1).mov('eax', POLL).syscall();
  // Exactly one is ready, and it is the listener, and it has nothing but a call to tell.
  code
    .cmp('rax', 1)
    .jcc('ne', 'polled')
    .movzxByte('eax', at('rbx', LOOP_STATE.poll + 6));
  code.cmp('eax', POLLIN).jcc('ne', 'polled');
  receive(code);
  count(code);
  answer(code);
  code.label('polled').mov('eax', LOOP_POLLED).jmp('end').label('received').mov('eax', LOOP_RECEIVED);
  return code.label('end').pop('rbp').pop('rbx').ret().assemble();
}

function receive(code: Assembler): void {
  const { notif, listener } = LOOP_STATE;
  for (let word = 0; word < NOTIF_WORDS; word += 1) code.mov(at('rbx', notif + 8 * word), 0);
  code.mov('edi', at('rbx', listener)).mov('esi', SECCOMP_IOCTL_NOTIF_RECV).lea('rdx', at('rbx', notif));
  code.mov('eax', IOCTL).syscall();
  retryIfGone(code);
}

/** ENOENT (the caller has gone) and EINTR are normal life; other errors are the result. */
function retryIfGone(code: Assembler): void {
  code.cmp('rax', -ENOENT).jcc('e', 'next').cmp('rax', -EINTR).jcc('e', 'next').test('rax', 'rax').jcc('ne', 'end');
}

/** Counts the call if task and number are known, else ends the loop. */
function count(code: Assembler): void {
  const { notif, tasks } = LOOP_STATE;
  code.cmp32(at('rbx', notif + 20), ARCHES.x86_64.token | 0).jcc('ne', 'received');
  code
    .mov('eax', at('rbx', notif + 16))
    .cmp('eax', LOOP_NUMBERS)
    .jcc('ae', 'received');
  code
    .mov('ecx', at('rbx', notif + 8))
    .mov('edx', 'ecx')
    .and('edx', LOOP_TASKS - 1)
    .shl('rdx', 4);
  code.mov('rsi', at('rbx', tasks)).add('rdx', 'rsi');
  code.mov('esi', at('rdx')).cmp('esi', 'ecx').jcc('ne', 'received');
  code
    .mov('rdx', at('rdx', 8))
    .shl('rax', 3)
    .add('rdx', 'rax')
    .cmp(at('rdx'), 0)
    .jcc('e', 'received')
    .add(at('rdx'), 1);
}

/** SECCOMP_USER_NOTIF_FLAG_CONTINUE. */
function answer(code: Assembler): void {
  const { notif, response, listener } = LOOP_STATE;
  code
    .mov('rax', at('rbx', notif))
    .mov(at('rbx', response), 'rax')
    .mov(at('rbx', response + 8), 0);
  code.mov32(at('rbx', response + 16), 0).mov32(at('rbx', response + 20), 1);
  code.mov('edi', at('rbx', listener)).mov('esi', SECCOMP_IOCTL_NOTIF_SEND).lea('rdx', at('rbx', response));
  code.mov('eax', IOCTL).syscall();
  retryIfGone(code);
  code.jmp('next');
}
