import { isPermitted } from '../../decision/actions.ts';
import { FALSE, type Node, TRUE } from '../../decision/diagrams.ts';
import { variableOf } from '../../decision/words.ts';
import { parameters } from '../../facts/prototypes.ts';
import type { Abi } from '../abi.ts';
import { halvesOf } from '../arguments.ts';
import type { Found, LintRule } from '../finding.ts';
import { NAMESPACE_CALLS, NEWUSER_BIT, RISKS } from '../risks.ts';
import { eachAbi, listed, type Stance } from '../stance.ts';
import type { Subject } from '../subject.ts';

/** Calls that open much, for people to look at. */
export const riskyOpen: LintRule = {
  id: 'risky-open',
  severity: 'note',
  why: 'few programs need them, and attackers do',
  todo: 'leave them out unless the program is known to make them',
  source: 'the man page of each; capabilities(7), user_namespaces(7)',
  judge: (subject) => eachAbi(subject, (abi, stance) => [...risks(abi, stance), ...namespaces(subject, abi, stance)]),
};

function risks({ arch }: Abi, stance: Stance): readonly Found[] {
  return RISKS.flatMap(({ calls, danger }) => {
    const open = calls.filter((name) => stance.isReachable(name));
    if (open.length === 0) return [];
    return [{ message: `open: ${listed(open)}: ${danger}`, arch, place: stance.place(open[0] as string, isPermitted) }];
  });
}

/** Whether a call may ask for a new user namespace; the flags of clone3 are in memory, where a filter does not see them. */
function namespaces(subject: Subject, abi: Abi, stance: Stance): readonly Found[] {
  const open = NAMESPACE_CALLS.filter((name) => stance.isReachable(name) && mayAskForOne(subject, abi, name));
  if (open.length === 0) return [];
  const message = `open: ${listed(open)} with CLONE_NEWUSER: gives all capabilities over a namespace, and with them much of the kernel to attack`;
  return [{ message, arch: abi.arch, place: stance.place(open[0] as string, isPermitted) }];
}

function mayAskForOne({ space, outcomes }: Subject, abi: Abi, name: string): boolean {
  const flags = (parameters(abi.arch, name) ?? []).findIndex((parameter) => parameter.name === 'flags');
  if (flags < 0) return true;
  const { low } = halvesOf(abi.arch, flags);
  const asks = space.make(variableOf(low, NEWUSER_BIT), FALSE, TRUE);
  return space.and(outcomes.where(abi.of(name) as Node, isPermitted), asks) !== FALSE;
}
