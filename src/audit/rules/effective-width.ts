import { isPermitted } from '../../decision/actions.ts';
import { FALSE, type Node } from '../../decision/diagrams.ts';
import { parameters } from '../../facts/prototypes.ts';
import type { Abi } from '../abi.ts';
import { fix, halvesOf, testedBits } from '../arguments.ts';
import type { Found, LintRule } from '../finding.ts';
import { denies } from '../outcomes.ts';
import { eachAbi, type Stance } from '../stance.ts';
import type { Subject } from '../subject.ts';

/** Arguments that are compared by more bits than the kernel reads. */
export const effectiveWidth: LintRule = {
  id: 'effective-width',
  severity: 'error',
  why: 'the kernel reads 32 bits of the argument, the filter more: what the caller puts into the high half changes the answer and not the call',
  todo: 'compare the low 32 bits only (in a policy: leave u64() out)',
  source: 'CVE-2019-7303, CVE-2019-10063; types of SYSCALL_DEFINE',
  judge: (subject) =>
    eachAbi(subject, (abi, stance) => abi.names.flatMap((name) => judgeCall(subject, abi, stance, name))),
};

function judgeCall(subject: Subject, abi: Abi, stance: Stance, name: string): readonly Found[] {
  const { space, outcomes } = subject;
  const node = abi.of(name) as Node;
  return (parameters(abi.arch, name) ?? []).flatMap((parameter, index) => {
    const { high } = halvesOf(abi.arch, index);
    if (parameter.width === 64 || testedBits(space, node, high) === 0) return [];
    const deniedPlain = outcomes.where(fix(space, node, high, 0), denies);
    const passes = space.and(outcomes.where(node, isPermitted), deniedPlain) !== FALSE;
    const place = stance.place(name, passes ? denies : isPermitted);
    const what = `${name} is judged by 64 bits of ${parameter.name}, of which the kernel reads 32`;
    if (passes) return [{ message: `${what}: a bit above them lets through what is refused`, arch: abi.arch, place }];
    return [{ message: `${what}: it refuses more than it says`, severity: 'note' as const, arch: abi.arch, place }];
  });
}
