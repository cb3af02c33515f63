import { existsSync } from 'node:fs';
import type { Program } from '../bpf/instruction.ts';
import { SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_TSYNC_ESRCH } from '../kernel/abi.ts';
import { childrenOf, taskStatus, threadsOf } from '../kernel/task-status.ts';

/**
 * The filters that programs believe to have installed, by thread, as the kernel would keep them: a thread or child begins with those of
 * the thread that made it. Every call is notified, so that clone(2) and its kin are seen before they happen.
 */

/** Filters of a thread: a list that shares its older part with others, as in the kernel. */
export interface FilterStack {
  /** Newest first; last the program that is in force from the beginning. */
  readonly programs: readonly Program[];
  readonly older: FilterStack | undefined;
}

interface Task {
  readonly tgid: number;
  stack: FilterStack;
}

/** A thread or child that was about to be made when its maker had `stack`, and has not called yet. */
interface Unborn {
  readonly tgid: number;
  readonly tid: number;
  readonly stack: FilterStack;
  /** Undefined where that is not known. */
  readonly isThread: boolean | undefined;
}

const ESRCH = 3;
const ENOMEM = 12;
/** Instructions on all of a thread's filters, each of which counts for some more (kernel/seccomp.c MAX_INSNS_PER_PATH). */
const MOST_INSTRUCTIONS = 32_768;
const FILTER_COST = 4;
/** Clones between two searches for threads that ended unseen. */
const CLONES_BETWEEN_SWEEPS = 256;

export class OwnFilters {
  readonly #base: FilterStack;
  readonly #tasks = new Map<number, Task>();
  /** In the order in which they were made. */
  #unborn: Unborn[] = [];
  #clones = 0;
  #installed = 0;
  #isApproximate = false;

  /** `program` is in force on everything. */
  constructor(program: Program) {
    this.#base = { programs: [program], older: undefined };
  }

  /** How many filters were taken. */
  get installed(): number {
    return this.#installed;
  }

  /** Whether there was a thread of which it was not sure which filters it has; then it was given the most that it may have. */
  get isApproximate(): boolean {
    return this.#isApproximate;
  }

  /** The filters of a thread that makes a call, newest first. */
  programsOf(tid: number): readonly Program[] {
    return this.#taskOf(tid).stack.programs;
  }

  /** The thread is about to make a thread or a child; `isThread` where that is known. */
  beforeClone(tid: number, isThread: boolean | undefined): void {
    const { tgid, stack } = this.#taskOf(tid);
    this.#unborn.push({ tgid, tid, stack, isThread });
    this.#clones += 1;
    if (this.#clones % CLONES_BETWEEN_SWEEPS === 0) this.#sweep();
  }

  /** Another thread than the first one that executes a program takes its id: only when it calls again, if at all. */
  beforeExec(tid: number): void {
    const { tgid, stack } = this.#taskOf(tid);
    const first = this.#tasks.get(tgid);
    if (first === undefined || first.stack === stack) return;
    this.#isApproximate = true;
    if (stack.programs.length > first.stack.programs.length) first.stack = stack;
  }

  /** The thread ends, or all of its process; their ids may come back. */
  beforeExit(tid: number, isGroup: boolean): void {
    const { tgid } = this.#taskOf(tid);
    this.#tasks.delete(tid);
    if (isGroup) for (const [other, task] of this.#tasks) if (task.tgid === tgid) this.#tasks.delete(other);
  }

  /** Something was installed that could not be read. */
  missed(): void {
    this.#isApproximate = true;
  }

  /**
   * Installs a checked program as seccomp(2) would.
   *
   * @returns what the call returns: 0, -ENOMEM, or with TSYNC the id of a thread whose filters differ (-ESRCH with TSYNC_ESRCH)
   * @see kernel/seccomp.c seccomp_attach_filter, seccomp_can_sync_threads (v6.18)
   */
  install(tid: number, program: Program, flags: number): number {
    const task = this.#taskOf(tid);
    const own = [program, ...task.stack.programs.slice(0, -1)];
    if (own.reduce((sum, each) => sum + each.length + FILTER_COST, -FILTER_COST) > MOST_INSTRUCTIONS) return -ENOMEM;
    const isForAll = (flags & SECCOMP_FILTER_FLAG_TSYNC) !== 0;
    const others = isForAll ? threadsOf(task.tgid).filter((other) => other !== tid) : [];
    const differing = others.find((other) => !isPartOf(this.#taskOf(other).stack, task.stack));
    if (differing !== undefined) return (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) === 0 ? differing : -ESRCH;
    const stack = { programs: [program, ...task.stack.programs], older: task.stack };
    for (const other of [tid, ...others]) this.#taskOf(other).stack = stack;
    this.#installed += 1;
    return 0;
  }

  #taskOf(tid: number): Task {
    let task = this.#tasks.get(tid);
    if (task === undefined) {
      task = this.#newTask(tid);
      this.#tasks.set(tid, task);
    }
    return task;
  }

  /** A thread that calls for the first time. Who made it is not told: it is one of those that were about to in its process or its parent's. */
  #newTask(tid: number): Task {
    const status = taskStatus(tid);
    const tgid = status?.tgid ?? tid;
    const isThread = tgid !== tid;
    const maker = isThread ? tgid : status?.ppid;
    const all = this.#unborn.filter((unborn) => (unborn.isThread ?? isThread) === isThread);
    const near = all.filter((unborn) => unborn.tgid === maker);
    // Its parent may have ended, or it was made with CLONE_PARENT.
    const candidates = near.length > 0 ? near : all;
    if (candidates.length === 0) return { tgid, stack: this.#fallback(maker) };
    const found = onlyOne(candidates) ?? this.#childOf(tid, candidates);
    if (found !== undefined) {
      this.#unborn.splice(this.#unborn.indexOf(found), 1);
      return { tgid, stack: found.stack };
    }
    this.#isApproximate = true;
    return { tgid, stack: mostOf(candidates, this.#base) };
  }

  /** For a process: the kernel keeps which thread made it, and a thread's children in the order in which they were made. */
  #childOf(tid: number, candidates: readonly Unborn[]): Unborn | undefined {
    for (const { tgid, tid: maker } of candidates) {
      const children = childrenOf(tgid, maker);
      if (!children.includes(tid)) continue;
      const made = candidates.filter((each) => each.tid === maker);
      const unseen = children.filter((child) => !this.#tasks.has(child));
      return onlyOne(made) ?? (made.length === unseen.length ? made[unseen.indexOf(tid)] : undefined);
    }
    return undefined;
  }

  /** The command itself; or one whose maker was not seen to make it: then rather too many filters than too few. */
  #fallback(maker: number | undefined): FilterStack {
    const known = maker === undefined ? undefined : this.#tasks.get(maker);
    const stack = known?.stack ?? mostOf([...this.#tasks.values()], this.#base);
    if (stack !== this.#base) this.#isApproximate = true;
    return stack;
  }

  /** Those that were killed made no call that says so. */
  #sweep(): void {
    for (const tid of this.#tasks.keys()) if (!existsSync(`/proc/${tid}`)) this.#tasks.delete(tid);
    this.#unborn = this.#unborn.slice(-CLONES_BETWEEN_SWEEPS);
  }
}

/** The first one, where all would begin with the same filters. */
function onlyOne(candidates: readonly Unborn[]): Unborn | undefined {
  const [first] = candidates;
  return candidates.every(({ stack }) => stack === first?.stack) ? first : undefined;
}

function mostOf(tasks: readonly { readonly stack: FilterStack }[], least: FilterStack): FilterStack {
  return tasks.reduce((most, { stack }) => (stack.programs.length > most.programs.length ? stack : most), least);
}

/** Whether the filters of one are the other's or the older ones of them. */
function isPartOf(part: FilterStack, whole: FilterStack): boolean {
  for (let stack: FilterStack | undefined = whole; stack !== undefined; stack = stack.older)
    if (stack === part) return true;
  return false;
}
