import {
  NOTIF_OFFSET_ARCH,
  NOTIF_OFFSET_ARGS,
  NOTIF_OFFSET_IP,
  NOTIF_OFFSET_NR,
  NOTIF_OFFSET_PID,
} from '../kernel/abi.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import type { Listener } from '../kernel/notify.ts';
import { abiOf, callKey } from './abi.ts';
import type { SelectorsByKey } from './arguments.ts';
import { FastLoop } from './fast-loop.ts';
import { Installers, mayInstall } from './installers.ts';
import { notifiedData } from './notified.ts';
import { ProgressTeller } from './progress.ts';
import type { Observed, Progress } from './protocol.ts';
import { Readiness } from './readiness.ts';
import type { ReadyOptions } from './ready.ts';
import type { CallServer } from './receive.ts';
import { Tally } from './tally.ts';

interface Counting {
  /** What begins the service. */
  readonly ready: ReadyOptions | undefined;
  /** Known calls are not notified. */
  readonly hasKnown: boolean;
  /** See Tally. */
  readonly selectors: SelectorsByKey | undefined;
}

/** Counts every call and lets it through. */
export class CountingServer implements CallServer<Observed> {
  readonly #tally: Tally;
  readonly #progress: ProgressTeller;
  readonly #installers = new Installers();
  readonly #readiness: Readiness;
  #isSynchronous = false;
  #listener: Listener | undefined;
  #fast: FastLoop | undefined;

  /** `launcher`: see ReceiveOptions; `tell`: see Progress. */
  constructor(launcher: string, tell: (progress: Progress) => void, { ready, hasKnown, selectors }: Counting) {
    this.#tally = new Tally(launcher, selectors);
    this.#tally.seesAll = !hasKnown;
    this.#progress = new ProgressTeller(this.#tally, tell);
    this.#readiness = new Readiness(this.#tally, ready);
  }

  begin(listener: Listener, socket: number, wake: number): void {
    this.#listener = listener;
    this.#isSynchronous = listener.wakeUpSynchronously();
    this.#fast = FastLoop.create(listener.fd, socket, wake);
    this.#tally.fastLoop = this.#fast;
  }

  /** Returns when something else than a call waits. */
  beforeWait(): void {
    const fast = this.#fast;
    while (fast?.run()) {
      this.serve(fast.notification);
      this.#progress.tellIfDue();
    }
    this.#progress.tellIfDue();
  }

  serve(call: DataView): void {
    const tid = call.getUint32(NOTIF_OFFSET_PID, true);
    const nr = call.getUint32(NOTIF_OFFSET_NR, true);
    const token = call.getUint32(NOTIF_OFFSET_ARCH, true);
    const argument = (index: number) => call.getBigUint64(NOTIF_OFFSET_ARGS + 8 * index, true);
    const isLast = this.#readiness.see({ tid, nr, token, argument });
    if (mayInstall(callKey(abiOf(token, nr) ?? NATIVE_ARCH, nr))) this.#installers.see(tid, notifiedData(call).data);
    const ip = () => call.getBigUint64(NOTIF_OFFSET_IP, true);
    if (this.#tally.add(tid, nr, token, ip, argument)) this.#listener?.continue(call);
    // The mark: on AArch64 the register of its result is that of its first argument, which the program's entry needs.
    else this.#listener?.answer(argument(0), 0, call);
    if (isLast) this.#readiness.begin();
  }

  drop(index: number): void {
    this.#fast?.drop(index);
  }

  end(): void {
    this.#fast = undefined;
  }

  result(): Observed {
    const { calls, boundary } = this.#tally;
    const installers = this.#installers.all();
    return {
      calls,
      boundary,
      results: this.#tally.results(),
      isSynchronous: this.#isSynchronous,
      installers,
      ...this.#readiness.result(),
    };
  }
}
