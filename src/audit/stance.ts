import type { Place } from '../base/errors.ts';
import { isPermitted } from '../decision/actions.ts';
import type { Node } from '../decision/diagrams.ts';
import { errnoNumber } from '../facts/errnos.ts';
import { FLOORS } from '../facts/floors.ts';
import { SECCOMP_RET_ERRNO } from '../facts/seccomp.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import type { Abi } from './abi.ts';
import { readsArguments } from './arguments.ts';
import { dataOf, denies, kindOf } from './outcomes.ts';
import type { Subject } from './subject.ts';

/** Calls that a filter may answer with ENOSYS for the sake of their callers, not to forbid something. */
const FALLBACK: ReadonlySet<string> = new Set((FLOORS.fallback ?? []).map(({ name }) => name));

/** How a filter treats the calls of one ABI: what it forbids on purpose, and what it leaves open. */
export class Stance {
  /** Calls that it does not name are permitted. */
  readonly isDenyList: boolean;
  readonly #subject: Subject;
  readonly #abi: Abi;
  readonly #default: Node;

  constructor(subject: Subject, abi: Abi) {
    this.#subject = subject;
    this.#abi = abi;
    const { space, outcomes } = subject;
    const stated = subject.resolved?.arches.find(({ arch }) => arch === abi.arch)?.default;
    this.isDenyList = stated === undefined ? outcomes.all(abi.beyond, isPermitted) : isPermitted(stated);
    this.#default = stated === undefined ? this.#usual() : space.leaf(stated);
  }

  /** Some call of this name is refused, and not only for callers that fall back. */
  isLimited(name: string): boolean {
    const node = this.#abi.of(name);
    return node !== undefined && this.#subject.outcomes.some(node, denies) && !this.#isFallback(name, node);
  }

  /** Every call of this name is made. */
  isOpen(name: string): boolean {
    const node = this.#abi.of(name);
    return node !== undefined && this.#subject.outcomes.all(node, isPermitted);
  }

  /** Some call of this name is made. */
  isReachable(name: string): boolean {
    const node = this.#abi.of(name);
    return node !== undefined && this.#subject.outcomes.some(node, isPermitted);
  }

  /** Refused as a whole, by a decision of its own: not by the default, nor by ENOSYS for callers that fall back. */
  isForbidden(name: string): boolean {
    const node = this.#abi.of(name);
    if (node === undefined || !this.#subject.outcomes.all(node, denies)) return false;
    return node !== this.#default && !this.#isFallback(name, node);
  }

  /** Permitted for some arguments only. */
  isNarrowed(name: string): boolean {
    const node = this.#abi.of(name);
    if (node === undefined || !readsArguments(this.#subject.space, node)) return false;
    return this.isLimited(name) && this.isReachable(name);
  }

  /** The place of the first rule about a call; undefined where no policy is known, or no rule names it. */
  place(name: string, holds: (action: number) => boolean = () => true): Place | undefined {
    const rules = this.#subject.resolved?.arches.find(({ arch }) => arch === this.#abi.arch)?.calls;
    const nr = syscallNumber(this.#abi.arch, name);
    return nr === undefined ? undefined : rules?.get(nr)?.find(({ action }) => holds(action))?.rule.place;
  }

  #isFallback(name: string, node: Node): boolean {
    const enosys = errnoNumber(this.#abi.arch, 'ENOSYS');
    const isEnosys = (action: number): boolean => kindOf(action) === SECCOMP_RET_ERRNO && dataOf(action) === enosys;
    return FALLBACK.has(name) && this.#subject.outcomes.all(node, isEnosys);
  }

  /** Of a program: what most of its calls get that are refused, or for a deny-list what a call gets that no kernel has. */
  #usual(): Node {
    if (this.isDenyList) return this.#abi.beyond;
    const counts = new Map<Node, number>();
    for (const name of this.#abi.names) {
      const node = this.#abi.of(name) as Node;
      if (this.#subject.outcomes.all(node, denies)) counts.set(node, (counts.get(node) ?? 0) + 1);
    }
    return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? this.#abi.beyond;
  }
}

/** Calls `judge` for each ABI that the filter was written for. */
export function eachAbi<T>(subject: Subject, judge: (abi: Abi, stance: Stance) => readonly T[]): readonly T[] {
  return subject.abis.flatMap((abi) => judge(abi, new Stance(subject, abi)));
}

/** `a`, `a and b`, `a, b and c`; long lists end in how many more there are. */
export function listed(names: readonly string[], most = 8): string {
  const shown = names.length > most + 1 ? [...names.slice(0, most), `${names.length - most} more`] : names;
  if (shown.length < 2) return shown.join('');
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
