import type { Program } from '../bpf/instruction.ts';
import { interpretStack } from '../bpf/stack.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import { syscallName } from '../facts/syscalls.ts';
import type { Listener } from '../kernel/notify.ts';
import { executableOf, processStatus } from '../kernel/process.ts';
import { abiOf } from '../observe/abi.ts';
import { type CallSite, CallSites } from '../observe/call-site.ts';
import { isGuard } from '../observe/guard-messages.ts';
import { notifiedData } from '../observe/notified.ts';
import type { CallServer } from '../observe/receive.ts';
import { type Answer, carryOut, isPermitted } from './carry-out.ts';
import { Emulator } from './emulate.ts';
import { OwnFilters } from './own-filters.ts';

/** Denied calls of one kind: same call, answer, place and thread; `data` is the first of them. */
export interface Denial {
  readonly data: SeccompData;
  /** SECCOMP_RET_* with its data, unsigned 32 bits. */
  readonly action: number;
  /** Whose filter it is: the policy's, or one that the program brought. */
  readonly by: 'policy' | 'own';
  /** Path of the executable; undefined where the kernel refuses. */
  readonly exe: string | undefined;
  readonly site: CallSite;
  readonly isMainThread: boolean;
  count: number;
}

/** What was seen. */
export interface Denials {
  readonly denials: readonly Denial[];
  /** How many filters programs installed, as they believe. */
  readonly ownFilters: number;
  /** See OwnFilters. */
  readonly isApproximate: boolean;
}

/** How calls are decided. */
export interface Rules {
  /** The policy's program, or one that permits all; its `start:` permits too. */
  readonly program: Program;
  /** The same without `start:`: for every exec but the command's own. */
  readonly afterExec: Program;
  /** `denied`: only what the policy denies is notified. `all`: all calls are, and filters of programs count too. */
  readonly notified: 'denied' | 'all';
  readonly hasPolicy: boolean;
}

const EXECS: ReadonlySet<string> = new Set(['execve', 'execveat']);

function isExec({ arch, nr }: SeccompData): boolean {
  const abi = abiOf(arch, nr);
  return abi !== undefined && EXECS.has(syscallName(abi, nr) ?? '');
}

/** Answers denied calls exactly as the programs that decide say, and notes where they came from. */
export class ExplainServer implements CallServer<Denials> {
  readonly #rules: Rules;
  readonly #tell: (denial: Denial) => void;
  readonly #sites = new CallSites();
  readonly #denials = new Map<string, Denial>();
  readonly #own: OwnFilters;
  readonly #emulator: Emulator;
  #listener: Listener | undefined;

  /** `tell` gets every denial that is new in its kind, before it is answered. */
  constructor(rules: Rules, tell: (denial: Denial) => void) {
    this.#rules = rules;
    this.#tell = tell;
    this.#own = new OwnFilters(rules.program);
    this.#emulator = new Emulator(this.#own, rules.hasPolicy);
  }

  begin(listener: Listener): void {
    this.#listener = listener;
    listener.wakeUpSynchronously();
  }

  serve(call: DataView): void {
    const { tid, data } = notifiedData(call);
    this.#emulator.sawCall(tid);
    const programs = this.#programsFor(tid, data);
    const { action, decidedBy } = interpretStack(programs, data);
    const answer: Answer = (errno, value = 0n) => {
      this.#listener?.answer(value, errno, call);
    };
    if (isPermitted(action)) {
      this.#permit(tid, data, answer, call);
      return;
    }
    this.#note(tid, data, action, decidedBy === programs.length - 1 ? 'policy' : 'own');
    carryOut(tid, data, action, answer);
  }

  beforeWait(): void {}

  drop(): void {}

  end(): void {
    this.#emulator.end();
  }

  result(): Denials {
    const { installed, isApproximate } = this.#own;
    return { denials: [...this.#denials.values()], ownFilters: installed, isApproximate };
  }

  /** The newest first; the policy's is the last. */
  #programsFor(tid: number, data: SeccompData): readonly Program[] {
    const { program, afterExec, notified } = this.#rules;
    const programs = notified === 'all' ? this.#own.programsOf(tid) : [program];
    const isLaterExec = isExec(data) && !isGuard(executableOf(tid));
    return isLaterExec ? [...programs.slice(0, -1), afterExec] : programs;
  }

  /** By registers alone, so that it does not matter what other threads do meanwhile. */
  #permit(tid: number, data: SeccompData, answer: Answer, call: DataView): void {
    const result = this.#emulator.resultOf(tid, data);
    if (result === undefined) this.#listener?.continue(call);
    else if (result < 0) answer(-result);
    else answer(0, BigInt(result));
  }

  #note(tid: number, data: SeccompData, action: number, by: Denial['by']): void {
    const exe = executableOf(tid);
    const isMainThread = processStatus(tid)?.tgid === tid;
    const found = this.#sites.find(tid, data, exe);
    // Its id may be another's by now, and so what was read.
    const site = this.#listener?.isValid() ? found : { module: undefined, function: undefined };
    const key = JSON.stringify([data.arch, data.nr, action, by, exe, isMainThread, site]);
    const known = this.#denials.get(key);
    if (known) {
      known.count += 1;
      return;
    }
    const denial = { data, action, by, exe, site, isMainThread, count: 1 };
    this.#denials.set(key, denial);
    this.#tell(denial);
  }
}
