import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION } from '../../facts/seccomp.ts';
import { type Assembler, at } from '../asm-x86-64.ts';
import { emitProgram, emitTarget, type Target } from '../static-file.ts';
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
 * The launcher of `run`: the program that Selkie replaces itself by. It sets all signals to their defaults, gives up new privileges,
 * installs the filter, proves by the probe call that the filter is in force, and executes the target. Its process, signal mask,
 * descriptors and environment are those it was given.
 */

const EXIT_OWN_FAILURE = 125;
const SECCOMP_SET_MODE_FILTER = 1;
const STDERR = 2;

/**
 * Generates the launcher.
 *
 * @param program - the filter, encoded instructions of 8 bytes, which must answer the probe call (facts/seccomp.ts)
 * @returns a static ELF file for x86-64
 */
export function launcherElf(program: Uint8Array, target: Target): Uint8Array {
  return staticElf((code, addressOf) => {
    code.endbr64();
    loadEnvironment(code);
    resetSignals(code);
    installFilter(code);
    executeTarget(code);
    sayErrno(code, 'execText', 'execTextEnd');
    exitAfterFailedExec(code);
    code.label('notConfined').mov('r13', 'rax').neg('r13');
    sayErrno(code, 'confineText', 'confineTextEnd', 'Confine');
    code.mov('edi', EXIT_OWN_FAILURE).jmp('leave');
    code.label('execText').text(`selkie: cannot run '${target.path}': errno `).label('execTextEnd');
    code
      .label('confineText')
      .text('selkie: cannot confine: the filter is not in force: errno ')
      .label('confineTextEnd');
    emitTarget(code, target, addressOf);
    emitProgram(code, program, addressOf);
  });
}

function installFilter(code: Assembler): void {
  setNoNewPrivs(code);
  code.test('rax', 'rax').jcc('ne', 'notConfined');
  code.mov('edi', SECCOMP_SET_MODE_FILTER).xor('esi', 'esi').lea('rdx', 'fprog');
  call(code, 'seccomp').test('rax', 'rax').jcc('ne', 'notConfined');
  code.mov('edi', PROBE_OPERATION).mov('esi', PROBE_ARGUMENT).xor('edx', 'edx');
  call(code, 'seccomp').cmp('rax', -PROBE_ERRNO).jcc('ne', 'notConfined');
}

/** Writes a text and the number in r13 to stderr. Clobbers all but r13 and r15. */
function sayErrno(code: Assembler, text: string, end: string, suffix = 'Execute'): void {
  code.mov('edi', STDERR).lea('rsi', text).lea('rdx', end).sub('rdx', 'rsi');
  call(code, 'write');
  // Digits from the last to the first, below a final line feed, in 32 bytes of stack.
  code.sub('rsp', 32).lea('rsi', at('rsp', 31)).movByte(at('rsi'), 10).mov('rax', 'r13').mov('ecx', 10);
  code.label(`digit${suffix}`).xor('edx', 'edx').div('rcx').add('edx', 0x30).dec('rsi').movByte(at('rsi'), 'dl');
  code.test('rax', 'rax').jcc('ne', `digit${suffix}`);
  code.mov('edi', STDERR).lea('rdx', at('rsp', 32)).sub('rdx', 'rsi');
  call(code, 'write').add('rsp', 32);
}
