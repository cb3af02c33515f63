import {
  MAX_ERRNO,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../facts/seccomp.ts';
import { type Diagrams, FALSE, type Node, TRUE } from './diagrams.ts';

const WITHOUT_DATA: ReadonlySet<number> = new Set([
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_USER_NOTIF,
  SECCOMP_RET_LOG,
  SECCOMP_RET_ALLOW,
]);

/**
 * What a returned value makes the kernel do, in one way of writing: data that nobody reads is 0, an errno is at most MAX_ERRNO, unknown actions
 * kill the process (kernel/seccomp.c __seccomp_filter).
 */
export function canonicalAction(returned: number): number {
  const action = (returned & SECCOMP_RET_ACTION_FULL) >>> 0;
  const data = returned & SECCOMP_RET_DATA;
  if (WITHOUT_DATA.has(action)) return action;
  if (action === SECCOMP_RET_ERRNO) return (action | Math.min(data, MAX_ERRNO)) >>> 0;
  return action === SECCOMP_RET_TRAP || action === SECCOMP_RET_TRACE ? returned >>> 0 : SECCOMP_RET_KILL_PROCESS;
}

/** The diagram with each action in its one way of writing: two filters do the same exactly when these are the same node. */
export function canonical(space: Diagrams, node: Node): Node {
  return space.mapLeaves(node, (leaf) => space.leaf(canonicalAction(space.action(leaf))));
}

/** SECCOMP_RET_LOG and SECCOMP_RET_ALLOW let the call happen. */
export function isPermitted(returned: number): boolean {
  const action = canonicalAction(returned);
  return action === SECCOMP_RET_ALLOW || action === SECCOMP_RET_LOG;
}

/** The calls that a filter lets happen, as a boolean diagram. */
export function permitted(space: Diagrams, node: Node): Node {
  return space.mapLeaves(node, (leaf) => (isPermitted(space.action(leaf)) ? TRUE : FALSE));
}

/**
 * What several filters of one process do together: of their answers the one that is least as a signed number counts, with the data of the
 * newest filter that gives it (kernel/seccomp.c seccomp_run_filters).
 *
 * @param newestFirst - diagrams of the filters, the one that was installed last first
 */
export function combineFilters(space: Diagrams, newestFirst: readonly Node[]): Node {
  const allow = space.leaf(SECCOMP_RET_ALLOW);
  return newestFirst.reduce(
    (sofar, filter) =>
      space.combine(sofar, filter, (newer, older) => (rank(space, older) < rank(space, newer) ? older : newer)),
    allow,
  );
}

function rank(space: Diagrams, leaf: Node): number {
  return (space.action(leaf) & SECCOMP_RET_ACTION_FULL) | 0;
}
