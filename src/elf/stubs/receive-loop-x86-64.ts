import { ARCHES } from '../../facts/arches.ts';
import { Assembler, at } from '../asm-x86-64.ts';
import { EINTR, ENOENT, SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND } from './answerer-state.ts';
import {
  LIMIT,
  LOOP_NUMBERS,
  LOOP_POLLED,
  LOOP_RECEIVED,
  LOOP_STATE,
  LOOP_TASKS,
  NOTIF_WORDS,
  POLLIN,
} from './receive-loop-state.ts';

const POLL = 7;
const IOCTL = 16;

/** Generates the receive loop for x86-64; see receive-loop-state.ts. */
export function receiveLoopX8664(): Uint8Array {
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
