import { lowHalf } from '../../base/u64.ts';
import { isPermitted } from '../../decision/actions.ts';
import type { Node } from '../../decision/diagrams.ts';
import type { ArchName } from '../../facts/arches.ts';
import { constant, constantNames } from '../../facts/constants.ts';
import { type Parameter, parameters } from '../../facts/prototypes.ts';
import type { Abi } from '../abi.ts';
import { halvesOf, readsArguments, testedBits } from '../arguments.ts';
import type { Found, LintRule } from '../finding.ts';
import { eachAbi, type Stance } from '../stance.ts';
import type { Subject } from '../subject.ts';

/** Names of arguments that are sets of bits. */
const FLAGS = /flags|^prot$|^type$|^mode$/;

/** Conditions on flags that leave bits open which nobody knows. */
export const unknownBits: LintRule = {
  id: 'unknown-bits',
  severity: 'note',
  why: 'the condition looks at some bits and leaves all others free, those of future kernels too',
  todo: 'say which bits may be set: ARGUMENT within [...]',
  source: 'docs/policy.md, within; open(2): flags are added over time',
  judge: (subject) =>
    eachAbi(subject, (abi, stance) =>
      stance.isDenyList ? [] : abi.names.flatMap((name) => judgeCall(subject, abi, stance, name)),
    ),
};

function judgeCall(subject: Subject, abi: Abi, stance: Stance, name: string): readonly Found[] {
  const { space, outcomes } = subject;
  const node = abi.of(name) as Node;
  if (!readsArguments(space, node)) return [];
  return (parameters(abi.arch, name) ?? []).flatMap((parameter, index) => {
    const tested = testedBits(space, outcomes.where(node, isPermitted), halvesOf(abi.arch, index).low);
    if (tested === 0 || !FLAGS.test(parameter.name) || parameter.constants === undefined) return [];
    const free = (~tested & ~knownBits(abi.arch, parameter)) >>> 0;
    if (free === 0) return [];
    const message = `${name} looks at some bits of ${parameter.name} only: unknown ones (0x${free.toString(16)}) are open`;
    return [{ message, arch: abi.arch, place: stance.place(name) }];
  });
}

/** Bits of all constants of an argument, in its low word. */
function knownBits(arch: ArchName, { constants }: Parameter): number {
  let bits = 0;
  for (const name of constantNames(arch))
    if (name.startsWith(constants as string)) bits |= lowHalf(BigInt.asUintN(64, constant(arch, name) ?? 0n));
  return bits >>> 0;
}
