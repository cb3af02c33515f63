import { executableOf, processStatus } from '../kernel/process.ts';

/** Threads that are remembered: those that signals end are never taken out one by one. */
const MOST_TASKS = 1 << 15;

/** An executable, and what `C` is kept for it. */
export interface Image<C> {
  /** As the kernel prints it; '[unknown]' where it refuses. */
  readonly path: string;
  readonly content: C;
}

/** Which executable a thread runs. Asked of /proc once per thread and again when it may have changed. */
export class Tasks<C> {
  readonly #byTask = new Map<number, Image<C>>();
  readonly #byPath = new Map<string, Image<C>>();
  readonly #create: () => C;
  /**
   * Leaders of processes in which another thread called execve: it takes over the leader's id at a moment that we do not see. That thread's id, until
   * there is no such thread any more.
   */
  readonly #unsettled = new Map<number, number | undefined>();

  /** `create` makes the content of an executable that is seen for the first time. */
  constructor(create: () => C) {
    this.#create = create;
  }

  /** The executable that a thread runs. */
  imageOf(tid: number): Image<C> {
    return this.#byTask.get(tid) ?? this.#look(tid);
  }

  /** All executables seen. */
  images(): readonly Image<C>[] {
    return [...this.#byPath.values()];
  }

  /** The thread calls execve: whether it succeeds shows only when it calls again. */
  beforeExec(tid: number): void {
    this.#byTask.delete(tid);
    const leader = processStatus(tid)?.tgid;
    if (leader === undefined || leader === tid) return;
    this.#byTask.delete(leader);
    this.#unsettled.set(leader, tid);
  }

  /** The thread ends; its id may come back as another's. */
  beforeExit(tid: number): void {
    this.#byTask.delete(tid);
  }

  /** Threads end that are not all known by id. */
  beforeGroupExit(): void {
    this.#byTask.clear();
  }

  /** Whether the thread's executable has to be asked for at every call. */
  isUnsettled(tid: number): boolean {
    return this.#unsettled.has(tid);
  }

  #look(tid: number): Image<C> {
    const isSettled = this.#settle(tid);
    const path = executableOf(tid) ?? '[unknown]';
    let image = this.#byPath.get(path);
    if (image === undefined) {
      image = { path, content: this.#create() };
      this.#byPath.set(path, image);
    }
    if (!isSettled) return image;
    if (this.#byTask.size === MOST_TASKS) this.#byTask.clear();
    this.#byTask.set(tid, image);
    return image;
  }

  /**
   * Once the thread that called execve is gone, one more call of the leader may come from the old image, which the exec has ended while it
   * waited; the next one cannot.
   */
  #settle(tid: number): boolean {
    if (!this.#unsettled.has(tid)) return true;
    const executing = this.#unsettled.get(tid);
    if (executing === undefined) return this.#unsettled.delete(tid);
    if (processStatus(executing)?.tgid !== tid) this.#unsettled.set(tid, undefined);
    return false;
  }
}
