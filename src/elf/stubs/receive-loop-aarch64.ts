import { ARCHES } from '../../facts/arches.ts';
import { AssemblerA64, at64, type MemoryA64 } from '../asm-aarch64.ts';
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
import { callAarch64 as call } from './static-aarch64.ts';

/** x9 = state, x10 = calls that are left: calls change x0 alone. */
const state = (offset: number): MemoryA64 => at64('x9', offset);

/** Generates the receive loop for AArch64; see receive-loop-state.ts. */
export function receiveLoopAarch64(): Uint8Array {
  const code = new AssemblerA64().bti('jc').mov('x9', 'x0').mov('x10', LIMIT);
  code.label('next').sub('x10', 'x10', 1).cbz('x10', 'polled').add('x0', 'x9', LOOP_STATE.poll).mov('x1', 3);
  call(code.mov('x2', 0).mov('x3', 0).mov('x4', 0), 'ppoll');
  // Exactly one is ready, and it is the listener, and it has nothing but a call to tell.
  code
    .cmp('x0', 1)
    .bif('ne', 'polled')
    .ldrb('w0', state(LOOP_STATE.poll + 6));
  code.cmp('w0', POLLIN).bif('ne', 'polled');
  receive(code);
  count(code);
  answer(code);
  code.label('polled').mov('x0', LOOP_POLLED).b('end').label('received').mov('x0', LOOP_RECEIVED);
  return code.label('end').ret().assemble();
}

function receive(code: AssemblerA64): void {
  const { notif, listener } = LOOP_STATE;
  for (let word = 0; word < NOTIF_WORDS; word += 1) code.str('xzr', state(notif + 8 * word));
  call(code.ldr('w0', state(listener)).mov('x1', SECCOMP_IOCTL_NOTIF_RECV).add('x2', 'x9', notif), 'ioctl');
  retryIfGone(code);
}

/** ENOENT (the caller has gone) and EINTR are normal life; other errors are the result. */
function retryIfGone(code: AssemblerA64): void {
  code.cmp('x0', -ENOENT).bif('eq', 'next').cmp('x0', -EINTR).bif('eq', 'next').cbnz('x0', 'end');
}

/** Counts the call if task and number are known, else ends the loop. */
function count(code: AssemblerA64): void {
  const { notif, tasks } = LOOP_STATE;
  const idBits = Math.log2(LOOP_TASKS);
  code
    .ldr('w0', state(notif + 20))
    .mov('w1', ARCHES.aarch64.token)
    .cmp('w0', 'w1')
    .bif('ne', 'received');
  code
    .ldr('w0', state(notif + 16))
    .cmp('w0', LOOP_NUMBERS)
    .bif('hs', 'received');
  code
    .ldr('w1', state(notif + 8))
    .lsl('x2', 'x1', 64 - idBits)
    .lsr('x2', 'x2', 64 - idBits)
    .lsl('x2', 'x2', 4);
  code.ldr('x3', state(tasks)).add('x3', 'x3', 'x2').ldr('w2', at64('x3')).cmp('w2', 'w1').bif('ne', 'received');
  code.ldr('x3', at64('x3', 8)).lsl('x2', 'x0', 3).add('x3', 'x3', 'x2').ldr('x2', at64('x3')).cbz('x2', 'received');
  code.add('x2', 'x2', 1).str('x2', at64('x3'));
}

/** SECCOMP_USER_NOTIF_FLAG_CONTINUE. */
function answer(code: AssemblerA64): void {
  const { notif, response, listener } = LOOP_STATE;
  code
    .ldr('x0', state(notif))
    .str('x0', state(response))
    .str('xzr', state(response + 8))
    .str('wzr', state(response + 16));
  code
    .mov('w1', 1)
    .str('w1', state(response + 20))
    .ldr('w0', state(listener));
  call(code.mov('x1', SECCOMP_IOCTL_NOTIF_SEND).add('x2', 'x9', response), 'ioctl');
  retryIfGone(code);
  code.b('next');
}
