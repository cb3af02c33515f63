import type { Assembler } from '../asm-x86-64.ts';
import { at } from '../asm-x86-64.ts';
import { emitTarget, type Target } from '../static-file.ts';
import { call, executeTarget, exitAfterFailedExec, loadEnvironment, resetSignals, staticElf } from './static-x86-64.ts';

/**
 * The waiter of `record --backend ebpf`: a process that waits for a byte from Selkie, so that what is to observe it can be put in place, and then
 * executes the command. It writes a byte when it runs, and the errno of an execve that failed, one byte, to the same socket, which that execve would have closed.
 */

export interface WaiterOptions {
  readonly target: Target;
  /** Descriptor of the unix socket to Selkie, open in the waiter. */
  readonly socket: number;
  /** Signals that the target shall have blocked: bit N-1 for signal N. */
  readonly blocked: bigint;
}

/** Generates the waiter. @returns a static ELF file for x86-64 */
export function waiterElf(options: WaiterOptions): Uint8Array {
  return staticElf((code, addressOf) => {
    code.endbr64();
    loadEnvironment(code);
    code.sub('rsp', 64);
    waitForByte(code, options.socket);
    resetSignals(code);
    code.mov('edi', 2).lea('rsi', 'blocked').xor('edx', 'edx').mov('r10d', 8);
    call(code, 'rt_sigprocmask');
    executeTarget(code);
    code.mov(at('rsp'), 'r13').mov('edi', options.socket).lea('rsi', at('rsp')).mov('edx', 1);
    call(code, 'write');
    exitAfterFailedExec(code);
    code.align(8).label('blocked').u64(options.blocked);
    emitTarget(code, options.target, addressOf);
  });
}

/** Says that its own execve is over. The socket is closed by the next one; nothing is executed where Selkie has gone. */
function waitForByte(code: Assembler, socket: number): void {
  const F_SETFD = 2;
  code.mov('edi', socket).mov('esi', F_SETFD).mov('edx', 1);
  call(code, 'fcntl');
  code.mov('edi', socket).lea('rsi', at('rsp')).mov('edx', 1);
  call(code, 'write');
  code.mov('edi', socket).lea('rsi', at('rsp')).mov('edx', 1);
  call(code, 'read').cmp('rax', 1).jcc('e', 'go').mov('edi', 125).jmp('leave').label('go');
}
