import type { Program } from '../bpf/instruction.ts';
import { interpret } from '../bpf/interpret.ts';
import {
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  type SeccompData,
} from '../facts/seccomp.ts';
import type { Listener } from '../kernel/notify.ts';
import { executableOf, processStatus } from '../kernel/process.ts';
import { type CallSite, CallSites } from '../observe/call-site.ts';
import { notifiedData } from '../observe/notified.ts';
import type { CallServer } from '../observe/receive.ts';
import { killCaller } from './kill.ts';

/** Denied calls of one kind: same call, answer, place and thread; `data` is the first of them. */
export interface Denial {
  readonly data: SeccompData;
  /** SECCOMP_RET_* with its data, unsigned 32 bits. */
  readonly action: number;
  /** Path of the executable; undefined where the kernel refuses. */
  readonly exe: string | undefined;
  readonly site: CallSite;
  readonly isMainThread: boolean;
  count: number;
}

const ENOSYS = 38;

/** Answers denied calls exactly as the policy's program says, and notes where they came from. */
export class ExplainServer implements CallServer<readonly Denial[]> {
  readonly #program: Program;
  readonly #tell: (denial: Denial) => void;
  readonly #sites = new CallSites();
  readonly #denials = new Map<string, Denial>();
  #listener: Listener | undefined;

  /** `program` decides; `tell` gets every denial that is new in its kind, before it is answered. */
  constructor(program: Program, tell: (denial: Denial) => void) {
    this.#program = program;
    this.#tell = tell;
  }

  begin(listener: Listener): void {
    this.#listener = listener;
    listener.wakeUpSynchronously();
  }

  serve(call: DataView): void {
    const { tid, data } = notifiedData(call);
    const { action } = interpret(this.#program, data);
    this.#note(tid, data, action);
    const kind = (action & SECCOMP_RET_ACTION_FULL) >>> 0;
    const answer = (errno: number): void => {
      this.#listener?.answer(0n, errno, call);
    };
    if (kind === SECCOMP_RET_KILL_PROCESS) killCaller(tid, data, answer);
    // notify and trace without a listener or tracer are ENOSYS (seccomp(2)).
    else answer(kind === SECCOMP_RET_ERRNO ? action & SECCOMP_RET_DATA : ENOSYS);
  }

  beforeWait(): void {}

  drop(): void {}

  end(): void {}

  result(): readonly Denial[] {
    return [...this.#denials.values()];
  }

  #note(tid: number, data: SeccompData, action: number): void {
    const exe = executableOf(tid);
    const isMainThread = processStatus(tid)?.tgid === tid;
    const site = this.#sites.find(tid, data.instructionPointer);
    const key = JSON.stringify([data.arch, data.nr, action, exe, isMainThread, site]);
    const known = this.#denials.get(key);
    if (known) {
      known.count += 1;
      return;
    }
    const denial = { data, action, exe, site, isMainThread, count: 1 };
    this.#denials.set(key, denial);
    this.#tell(denial);
  }
}
