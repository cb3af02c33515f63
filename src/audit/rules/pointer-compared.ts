import type { Node } from '../../decision/diagrams.ts';
import { ARCHES } from '../../facts/arches.ts';
import { parameters } from '../../facts/prototypes.ts';
import type { Abi } from '../abi.ts';
import { fix, halvesOf, isWord, readsArguments } from '../arguments.ts';
import type { LintRule } from '../finding.ts';
import { eachAbi } from '../stance.ts';
import type { Subject } from '../subject.ts';

/** Addresses that decide. */
export const pointerCompared: LintRule = {
  id: 'pointer-compared',
  severity: 'error',
  why: 'a filter sees an address, never what it points to: the caller chooses it freely',
  todo: 'compare pointers with 0 only; use Landlock for paths, and refuse the call where that does not do',
  source: 'Documentation/userspace-api/seccomp_filter.rst, Introduction',
  judge: (subject) =>
    eachAbi(subject, (abi, stance) =>
      abi.names.flatMap((name) => {
        const node = abi.of(name) as Node;
        if (!readsArguments(subject.space, node)) return [];
        return (parameters(abi.arch, name) ?? []).flatMap((parameter, index) => {
          if (!parameter.pointer || asksForNullOnly(subject, abi, node, index)) return [];
          const message = `the fate of ${name} depends on the address in ${parameter.name}`;
          return [{ message, arch: abi.arch, place: stance.place(name) }];
        });
      }),
    ),
};

/** Whether all that a diagram wants to know of an argument is if it is 0. High words of 32-bit ABIs have been taken for 0 already. */
function asksForNullOnly({ space }: Subject, { arch }: Abi, node: Node, argument: number): boolean {
  const { high, low } = halvesOf(arch, argument);
  const at = (value: number): Node => fix(space, fix(space, node, high, 0), low, value);
  const isLowNull = isWord(space, low, 0);
  const isNull = ARCHES[arch].bits === 32 && arch !== 'x32' ? isLowNull : space.and(isWord(space, high, 0), isLowNull);
  return space.choose(isNull, at(0), at(1)) === node;
}
