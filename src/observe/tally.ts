import type { ArchName } from '../facts/arches.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { findMapping } from '../kernel/process.ts';
import { abiOf, callKey, effectOf, type ObservedArch } from './abi.ts';
import { ArgumentTally, type SelectorsByKey } from './arguments.ts';
import { type Boundary, type BoundaryKind, type CallPlace, findBoundary } from './boundary.ts';
import { MARK_NR } from './entry-mark.ts';
import { type FastCounts, type FastLoop, fastCount, makeKnown, newFastCounts } from './fast-loop.ts';
import { mayInstall } from './installers.ts';
import type { ReadyWatch } from './ready.ts';
import { type Image, Tasks } from './tasks.ts';

/** Counts notified calls by executable, ABI, number and phase. */

/** `start`: made by the kernel's exec and ld.so for the first image, before its entry point. `program`: all else. `service`: what of it comes once the command is ready, where that is looked for. */
export type Phase = 'start' | 'program' | 'service';

const PHASES: readonly Phase[] = ['start', 'program', 'service'];

/** Calls of one kind, and where the first of them came from. */
export interface CallCount {
  readonly arch: ArchName;
  /** With the x32 bit where the ABI has it. */
  readonly nr: number;
  count: number;
  /** Address after the first call's syscall instruction. */
  readonly ip: bigint;
  /** The file that holds it, and where in that file; absent where the kernel does not say. */
  readonly module?: string;
  readonly offset?: bigint;
  /** Of its selectors, in their order (facts/selectors.ts); absent: it has none, or they are not known. */
  readonly values?: readonly bigint[];
}

/** What one executable called, by `callKey`. */
type Counts = { readonly [K in Phase]: Map<number, CallCount> } & {
  /** Calls that machine code counted: before the command was ready, and since. */
  readonly fast: FastCounts;
  readonly fastService: FastCounts;
  readonly tuples: { readonly [K in Phase]: ArgumentTally<CallCount> };
};

/** A line of the result. */
export interface ExecutableCall extends CallCount {
  readonly exe: string;
  readonly phase: Phase;
  /** How many of them a filter denied; absent where the backend does not see those. */
  readonly denied?: number;
  /** Errors that it returned; absent where the backend does not see results. */
  readonly errnos?: readonly number[];
}

export class Tally {
  readonly #launcher: string;
  readonly #selectors: SelectorsByKey | undefined;
  readonly #tasks = new Tasks<Counts>(() => ({
    start: new Map(),
    program: new Map(),
    service: new Map(),
    fast: newFastCounts(),
    fastService: newFastCounts(),
    tuples: { start: new ArgumentTally(), program: new ArgumentTally(), service: new ArgumentTally() },
  }));
  #boundary: Boundary | undefined;
  #firstImage: Image<Counts> | undefined;
  #isStarting = true;
  #launch: CallPlace | undefined;
  #fresh: ExecutableCall[] = [];
  /** Where machine code serves what is known: told here which calls those are. */
  fastLoop: FastLoop | undefined;
  /** Whether every call is notified. */
  seesAll = true;
  /** While the command is not ready: what looks for its sign, and must see the calls that it is in. */
  watch: ReadyWatch | undefined;
  #program: Phase = 'program';

  /**
   * @param launcher - how the kernel prints the path of the executable that starts the target: its calls are not the target's
   * @param selectors - absent: calls are not told apart by their arguments
   */
  constructor(launcher: string, selectors?: SelectorsByKey) {
    this.#launcher = launcher;
    this.#selectors = selectors;
  }

  /** All calls of the target so far, the one by which it was started included. */
  get calls(): number {
    let sum = 0;
    for (const { content } of this.#tasks.images())
      for (const phase of PHASES) {
        for (const call of content[phase].values()) sum += countOf(content, phase, call);
        for (const call of content.tuples[phase].calls()) sum += call.count;
      }
    return sum;
  }

  /** The command is ready: from now on its calls are those of the service. */
  beginService(): void {
    this.watch = undefined;
    this.#program = 'service';
    this.fastLoop?.forgetTasks();
  }

  /** How the end of `start` was found. */
  get boundary(): BoundaryKind {
    return this.#boundary?.kind ?? 'exec';
  }

  /**
   * Counts a call.
   *
   * @param token - AUDIT_ARCH_*, unsigned
   * @param ip - gives the instruction pointer; asked for seldom, as a bigint costs
   * @param argument - gives an argument as filters see it
   * @returns false for our own mark, which must be answered with its first argument instead of being let through
   */
  add(tid: number, nr: number, token: number, ip: () => bigint, argument: (index: number) => bigint): boolean {
    const arch = abiOf(token, nr);
    if (arch === undefined) return true;
    const image = this.#tasks.imageOf(tid);
    const key = callKey(arch, nr);
    let phase = this.#program;
    if (this.#isStarting || nr === MARK_NR || this.#boundary?.isPassing) {
      const seen = this.#start({ tid, nr, ip: ip() }, arch, image);
      if (seen === 'mark') return false;
      if (seen === 'launch') return true;
      if (seen === 'start') phase = seen;
    }
    const tuples = image.content.tuples[phase];
    const selectors = this.#selectors?.(key, arch, nr);
    const values = selectors && tuples.valuesOf(key, selectors, argument);
    const known = values === undefined ? image.content[phase].get(key) : tuples.get(key, values);
    if (known !== undefined) known.count += 1;
    else this.#addKind(image, phase, key, { arch, nr, count: 1, ...site(tid, ip()), ...(values && { values }) });
    if (this.watch?.seesAll) this.fastLoop?.forgetTasks();
    if (this.#apply(tid, key)) this.fastLoop?.forgetTasks();
    else if (values !== undefined) return true;
    else if (arch === NATIVE_ARCH && !mayInstall(key)) this.#teach(tid, nr, image);
    return true;
  }

  /** Everything counted so far. */
  results(): readonly ExecutableCall[] {
    return this.#tasks.images().flatMap(({ path, content }) =>
      PHASES.flatMap((phase) => [
        ...[...content[phase].values()].map((call) => ({
          exe: path,
          phase,
          ...call,
          count: countOf(content, phase, call),
        })),
        ...content.tuples[phase].calls().map((call) => ({ exe: path, phase, ...call })),
      ]),
    );
  }

  /** Whether takeFresh has something to give. */
  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  /** Kinds of calls that appeared since it was asked last, counted once. */
  takeFresh(): readonly ExecutableCall[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  #addKind({ path, content }: Image<Counts>, phase: Phase, key: number, call: CallCount): void {
    if (call.values === undefined) content[phase].set(key, call);
    else content.tuples[phase].set(key, call.values, call);
    this.#fresh.push({ exe: path, phase, ...call });
  }

  /** The next calls of this task and number are served by machine code, once the program has begun. */
  #teach(tid: number, nr: number, image: Image<Counts>): void {
    if (this.#isStarting || this.#boundary?.isPassing !== false) return;
    if (this.fastLoop === undefined || this.#tasks.isUnsettled(tid)) return;
    if (this.watch?.concerns(callKey(NATIVE_ARCH, nr))) return;
    const counts = this.#program === 'service' ? image.content.fastService : image.content.fast;
    makeKnown(counts, nr);
    this.fastLoop.know(tid, counts);
  }

  /** @returns whether tasks may run other executables from now on */
  #apply(tid: number, key: number): boolean {
    const effect = effectOf(key);
    if (effect === undefined) return false;
    if (effect === 'exec') this.#tasks.beforeExec(tid);
    else if (effect === 'exit') this.#tasks.beforeExit(tid);
    else this.#tasks.beforeGroupExit();
    return true;
  }

  #start(call: CallPlace, arch: ObservedArch, image: Image<Counts>): Phase | 'mark' | 'launch' {
    const isExec = effectOf(callKey(arch, call.nr)) === 'exec';
    if (image.path === this.#launcher) {
      this.#tasks.beforeExec(call.tid);
      if (isExec) this.#launch = call;
      return 'launch';
    }
    if (this.#boundary === undefined) this.#beginImage(call, arch, image);
    const seen = this.#boundary?.see(call) ?? 'program';
    // What a library's constructor starts before the first image's entry is the program's; so is a second exec of the first image,
    // whose mark would be gone.
    if (seen === 'start' && image !== this.#firstImage) return 'program';
    if (seen === 'program' || (seen === 'start' && isExec)) this.#isStarting = false;
    return seen;
  }

  /** The launcher's execve has succeeded: it is the first call of what it started. */
  #beginImage(call: CallPlace, arch: ObservedArch, image: Image<Counts>): void {
    this.#firstImage = image;
    this.#boundary = findBoundary(call, arch, this.seesAll);
    if (this.#launch === undefined) return;
    const { nr, ip } = this.#launch;
    this.#addKind(image, 'start', callKey(NATIVE_ARCH, nr), { arch: NATIVE_ARCH, nr, count: 1, ip });
  }
}

/** What machine code counted of it included. */
function countOf({ fast, fastService }: Counts, phase: Phase, { arch, nr, count }: CallCount): number {
  const isFast = phase !== 'start' && arch === NATIVE_ARCH;
  return count + (isFast ? fastCount(phase === 'service' ? fastService : fast, nr) : 0);
}

function site(tid: number, ip: bigint): Pick<CallCount, 'ip' | 'module' | 'offset'> {
  const mapping = findMapping(tid, ip);
  if (mapping === undefined) return { ip };
  return { ip, module: mapping.name, offset: ip - mapping.start + mapping.offset };
}
