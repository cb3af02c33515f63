// What a decision (src/compile/decision.ts) says of a call, read off its tests.
import type { Decision } from '../../src/compile/decision.ts';
import { OFFSET_ARCH, OFFSET_ARGS, OFFSET_NR, type SeccompData } from '../../src/facts/seccomp.ts';

/** The word at an offset of struct seccomp_data, little-endian. */
function wordAt({ nr, arch, instructionPointer, args }: SeccompData, offset: number): number {
  if (offset === OFFSET_NR) return nr;
  if (offset === OFFSET_ARCH) return arch;
  const value = offset < OFFSET_ARGS ? instructionPointer : (args[Math.floor((offset - OFFSET_ARGS) / 8)] as bigint);
  return Number((offset % 8 === 0 ? value : value >> 32n) & 0xffff_ffffn);
}

export function decide(decision: Decision, call: SeccompData): number {
  let at = decision;
  while (at.kind === 'word') {
    const word = (wordAt(call, at.offset) & at.mask) >>> 0;
    const holds = { '==': word === at.value, '>=': word >= at.value, '&': (word & at.value) !== 0 };
    at = holds[at.operator] ? at.yes : at.no;
  }
  return at.action;
}
