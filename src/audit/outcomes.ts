import { isPermitted } from '../decision/actions.ts';
import { type Diagrams, FALSE, type Node, TRUE } from '../decision/diagrams.ts';
import {
  KNOWN_ACTIONS,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../facts/seccomp.ts';

/** Kinds of actions, SECCOMP_RET_* without data. */
export function kindOf(action: number): number {
  return (action & SECCOMP_RET_ACTION_FULL) >>> 0;
}

/** The lower 16 bits. */
export function dataOf(action: number): number {
  return action & SECCOMP_RET_DATA;
}

const KNOWN: ReadonlySet<number> = new Set(KNOWN_ACTIONS);

/** Values that the kernel does not know end the process (kernel/seccomp.c __seccomp_filter, default case). */
export function isKnown(action: number): boolean {
  return KNOWN.has(kindOf(action));
}

/** A supervisor or tracer decides. */
function asks(action: number): boolean {
  return kindOf(action) === SECCOMP_RET_USER_NOTIF || kindOf(action) === SECCOMP_RET_TRACE;
}

/** The call is not made, whoever watches. */
export function denies(action: number): boolean {
  return !isPermitted(action) && !asks(action);
}

/** The process or thread ends. */
export function kills(action: number): boolean {
  return denies(action) && kindOf(action) !== SECCOMP_RET_ERRNO && kindOf(action) !== SECCOMP_RET_TRAP;
}

/** As many actions are gone through in the time of a step of work. */
const ACTIONS_A_STEP = 16;

/** What diagrams of actions lead to. */
export class Outcomes {
  readonly #space: Diagrams;
  readonly #known = new Map<Node, readonly number[]>();

  constructor(space: Diagrams) {
    this.#space = space;
  }

  /** Every action that some call gets, ascending. */
  of(node: Node): readonly number[] {
    const known = this.#known.get(node);
    if (known) return known;
    const leaves = this.#space.reachable(node).filter((each) => this.#space.isLeaf(each));
    const actions = leaves.map((leaf) => this.#space.action(leaf)).sort((a, b) => a - b);
    this.#known.set(node, actions);
    return actions;
  }

  all(node: Node, holds: (action: number) => boolean): boolean {
    return this.#counted(node).every(holds);
  }

  some(node: Node, holds: (action: number) => boolean): boolean {
    return this.#counted(node).some(holds);
  }

  /** Actions that are gone through are work: there can be 10^5 of them. */
  #counted(node: Node): readonly number[] {
    const actions = this.of(node);
    this.#space.count(actions.length / ACTIONS_A_STEP);
    return actions;
  }

  /** Where the action is one of these. */
  where(node: Node, holds: (action: number) => boolean): Node {
    return this.#space.mapLeaves(node, (leaf) => (holds(this.#space.action(leaf)) ? TRUE : FALSE));
  }
}
