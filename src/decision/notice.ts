import type { ArchName } from '../facts/arches.ts';
import {
  MARK_ARGUMENT,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_USER_NOTIF,
  SECCOMP_SET_MODE_FILTER,
} from '../facts/seccomp.ts';
import { isPermitted, permitted } from './actions.ts';
import { type Diagrams, type Node, TRUE } from './diagrams.ts';
import { callsOf } from './probe.ts';

/** A filter under which the calls that only `start:` permits wait for an answer: they can be permitted for a while, and refused by ENOSYS for ever after. */
export interface StartOnNotice {
  readonly node: Node;
  /** Whether `start:` permits more than execve(2): then ld.so of a dynamic program needs answers too. */
  readonly isMoreThanExec: boolean;
  /** False: no call waits, `start:` adds nothing. */
  readonly isNeeded: boolean;
}

/**
 * Puts what `start:` alone permits on notice, and the mark (facts/seccomp.ts).
 *
 * @param main - the meaning without `start:`
 * @param withStart - the meaning with it
 */
export function startOnNotice(
  space: Diagrams,
  main: Node,
  withStart: Node,
  arches: readonly ArchName[],
): StartOnNotice {
  const notice = space.leaf(SECCOMP_RET_USER_NOTIF);
  const waits = (own: Node, atStart: Node): boolean =>
    isPermitted(space.action(atStart)) && !isPermitted(space.action(own));
  const node = space.combine(main, withStart, (own, atStart) => (waits(own, atStart) ? notice : own));
  return {
    node: space.choose(callsOf(space, arches, 'seccomp', [undefined, MARK_ARGUMENT]), notice, node),
    isMoreThanExec: hasNotice(space, space.choose(callsOf(space, arches, 'execve'), main, node)),
    isNeeded: hasNotice(space, node),
  };
}

/**
 * What is in force until the program's entry where a second filter of the meaning `main` is installed there: what either permits, and that installation.
 * Both together mean `main`.
 */
export function startUntilSecond(space: Diagrams, main: Node, withStart: Node, arches: readonly ArchName[]): Node {
  const permits = (leaf: Node): boolean => isPermitted(space.action(leaf));
  const either = space.combine(main, withStart, (own, atStart) => (permits(atStart) && !permits(own) ? atStart : own));
  const installation = callsOf(space, arches, 'seccomp', [SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC]);
  return space.choose(installation, space.leaf(SECCOMP_RET_ALLOW), either);
}

/** Whether a filter permits a call of one ABI whatever its arguments are. */
export function permitsCall(space: Diagrams, node: Node, arch: ArchName, name: string): boolean {
  return space.choose(callsOf(space, [arch], name), permitted(space, node), TRUE) === TRUE;
}

/** Whether a filter puts some call on notice itself. */
export function hasNotice(space: Diagrams, node: Node): boolean {
  return space.reachable(node).includes(space.leaf(SECCOMP_RET_USER_NOTIF));
}
