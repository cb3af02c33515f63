import { readFileSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import type { UnsupportedError } from '../base/errors.ts';
import { guardAarch64 } from '../elf/stubs/guard-aarch64.ts';
import { GUARD_KILL_SIGNAL } from '../elf/stubs/guard-state.ts';
import { guardX8664 } from '../elf/stubs/guard-x86-64.ts';
import { CommandError, findExecutable } from '../kernel/command.ts';
import { closeDescriptor, inheritedDescriptors, moveAbove } from '../kernel/descriptors.ts';
import { errnoName } from '../kernel/libc.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { kill, processStatus } from '../kernel/process.ts';
import { notifSizes } from '../kernel/seccomp.ts';
import { eventDescriptor, memoryFile, raiseEvent, reap, socketPair, spawnBlocked } from '../kernel/spawn.ts';
import { GUARD_NAME, hearGuard } from './guard-messages.ts';
import type { ReceiveMessage, ReceiveOptions } from './protocol.ts';
import { refusal, traceRefusal } from './refusals.ts';
import { SignalRelay } from './signals.ts';
import { startReceiver, type WorkerKind } from './start-worker.ts';

/** In the name of the memory file that holds the guard, and so in /proc/PID/exe until the command is executed. */

/** A command under a filter with a listener or a tracer: started by the guard, served by a worker thread, waited for here. Needs no rights. */

const guardElf = NATIVE_ARCH === 'aarch64' ? guardAarch64 : guardX8664;

/** A tracer waits in wait4(2) alone: what the guard says is heard here. */
const HEAR_MS = 4;

/** Selkie as the parent of a command; `R` is what the worker hands over at the end, `E` what it tells meanwhile. */
export interface SuperviseOptions<R, E> {
  /** The command and its arguments; the first word is searched in PATH. */
  readonly command: readonly string[];
  readonly worker: WorkerKind;
  /** Those of ours that the command shall have; absent: inheritedDescriptors() now, wrong while Node opens files in other threads. */
  readonly descriptors?: readonly number[];
  /** A descriptor of ours that the command shall have under a number that is not among `descriptors`. */
  readonly renamed?: { readonly from: number; readonly to: number };
  /** Given to the worker besides its own options; must be cloneable. */
  readonly workerOptions?: object;
  /** See GuardOptions; absent: every call is notified. */
  readonly filter?: Uint8Array;
  /** The worker traces, instead of serving a listener; the filter says SECCOMP_RET_TRACE. */
  readonly isTraced?: boolean;
  /** What Selkie cannot do where the kernel refuses, for messages: `record`. */
  readonly purpose: string;
  /** The result where the worker could not give one. */
  readonly nothing: R;
  readonly onEvent?: (event: E) => void;
}

/** How the command ended. */
export type ExitStatus = { readonly code: number } | { readonly signal: number };

export interface Supervised<R> {
  readonly observed: R;
  readonly status: ExitStatus;
  /** The path that was executed. */
  readonly path: string;
  /** Something of Selkie's own failed on the way: the target was killed, and what had been seen is here. */
  readonly error: Error | undefined;
}

/** The exit code by which a shell would say it: the code itself, or 128 + signal. */
export function exitCodeOf(status: ExitStatus): number {
  return 'code' in status ? status.code : 128 + status.signal;
}

/** wait4(2)'s word of a process that has ended: low seven bits a signal, else the code in the second byte. */
export function exitStatusOf(word: number): ExitStatus {
  const signal = word & 0x7f;
  return signal === 0 ? { code: (word >> 8) & 0xff } : { signal };
}

/**
 * Runs a command under a filter whose notifications a worker serves, until the last process that it started is gone. The command has our
 * terminal, process group, descriptors, signal mask and environment. Nothing of it outlives us.
 *
 * @throws {CommandError} no such command (127), or it cannot be executed (126)
 * @throws {UnsupportedError} no user notification here, or another listener is on us already (EBUSY)
 * @throws {SyscallError} the kernel refuses to start the guard
 */
export async function superviseCommand<R, E>(options: SuperviseOptions<R, E>): Promise<Supervised<R>> {
  const [word = ''] = options.command;
  const path = findExecutable(word);
  if (!options.isTraced) notifSizes();
  const session = new Session(path, options);
  try {
    return await session.finished;
  } finally {
    session.close();
  }
}

/** One command from spawn to the end of all it started. */
class Session<R, E> {
  readonly finished: Promise<Supervised<R>>;
  readonly #path: string;
  readonly #options: SuperviseOptions<R, E>;
  readonly #guard: number;
  readonly #wake: number;
  readonly #worker: Worker;
  readonly #relay: SignalRelay;
  #status: ExitStatus | undefined;
  #execErrno = 0;
  #refusal: UnsupportedError | undefined;
  /** Of a traced command; a listener's worker owns it. */
  #socket: number | undefined;
  #hearing: NodeJS.Timeout | undefined;
  #error: Error | undefined;
  #observed: R | undefined;
  #isReaped = false;
  #isTraced = false;

  constructor(path: string, options: SuperviseOptions<R, E>) {
    this.#path = path;
    this.#options = options;
    const descriptors = options.descriptors ?? inheritedDescriptors();
    const [ours, theirs] = socketPair();
    this.#wake = eventDescriptor();
    // First, because a thread of Node takes longest to start; the guard is made meanwhile.
    const shared: ReceiveOptions = { socket: ours, wake: this.#wake, launcher: `/memfd:${GUARD_NAME} (deleted)` };
    this.#worker = startReceiver(options.worker, { ...options.workerOptions, ...shared });
    this.#guard = this.#startGuard(theirs, descriptors);
    this.#relay = new SignalRelay(() => this.#killAll());
    this.finished = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: ReceiveMessage<R, E>) => this.#hearSafely(message));
      this.#worker.on('error', (error) => this.#fail(error));
      this.#worker.on('exit', () => this.#finish().then(resolve, reject));
    });
    if (!options.isTraced) return;
    this.#socket = ours;
    this.#hearing = setInterval(() => this.#hearAll(), HEAR_MS);
  }

  close(): void {
    this.#relay.close();
    this.#closeSocket();
    closeDescriptor(this.#wake);
  }

  /** Where it fails nobody is left behind: the worker ends as well. */
  #startGuard(socket: number, descriptors: readonly number[]): number {
    try {
      return startGuard(this.#path, this.#options, socket, descriptors);
    } catch (error) {
      this.#worker.on('exit', () => closeDescriptor(this.#wake));
      raiseEvent(this.#wake);
      if (this.#options.isTraced) this.#worker.postMessage(undefined);
      throw error;
    }
  }

  /** A fault of ours, or of a callback, must not leave the target running. */
  #hearSafely(message: ReceiveMessage<R, E>): void {
    try {
      this.#hear(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A target that is not traced by then ends when the socket is closed. */
  #closeSocket(): void {
    clearInterval(this.#hearing);
    if (this.#socket !== undefined) closeDescriptor(this.#socket);
    this.#socket = undefined;
  }

  #hearAll(): void {
    while (this.#socket !== undefined) {
      const heard = hearGuard(this.#socket);
      if (heard === undefined || heard.kind === 'listener') return;
      if (heard.kind !== 'closed') this.#hearSafely(heard);
      else {
        this.#closeSocket();
        this.#endIdle();
      }
    }
  }

  /** A worker that has nothing to trace would wait for ever. */
  #endIdle(): void {
    if (!this.#isTraced) this.#worker.postMessage(undefined);
  }

  #hear(message: ReceiveMessage<R, E>): void {
    if (message.kind === 'started') this.#relay.started(message.pid);
    else if (message.kind === 'tracee') this.#trace(message.pid);
    else if (message.kind === 'refused') this.#refuse(message);
    else if (message.kind === 'signal') this.#relay.heardInGroup(message.signal);
    else if (message.kind === 'event') this.#options.onEvent?.(message.event);
    else if (message.kind === 'done') this.#observed = message.observed;
    else if (message.kind === 'failed') this.#fail(message.error);
    else this.#changed(message.pid, message.status, message.execErrno);
  }

  #trace(pid: number): void {
    this.#isTraced = true;
    this.#worker.postMessage(pid);
  }

  #refuse({ errno, by }: Extract<ReceiveMessage<R, E>, { readonly kind: 'refused' }>): void {
    const { purpose, isTraced } = this.#options;
    this.#refusal = isTraced ? traceRefusal(errno, purpose, by) : refusal(errno, purpose);
    this.#closeSocket();
  }

  /** wait4(2): 0x..7f stopped, 0xffff continued; see exitStatusOf. */
  #changed(pid: number, status: number, execErrno: number): void {
    if (status === 0xffff) return;
    if ((status & 0xff) === 0x7f) {
      this.#relay.targetStopped(() => isStopped(pid));
      return;
    }
    this.#status = exitStatusOf(status);
    this.#execErrno = execErrno;
    this.#relay.targetGone();
  }

  #fail(error: unknown): void {
    this.#error ??= error instanceof Error ? error : new Error(String(error));
    this.#killAll();
    void this.#guardGone().then(() => raiseEvent(this.#wake));
  }

  /** The guard kills all descendants; the worker sees the last of them go, and ends. */
  #killAll(): void {
    if (!this.#isReaped) kill(this.#guard, GUARD_KILL_SIGNAL);
  }

  async #guardGone(): Promise<void> {
    for (let delayMs = 1; !this.#isReaped; delayMs = Math.min(2 * delayMs, 20)) {
      this.#isReaped = reap(this.#guard) !== undefined;
      if (!this.#isReaped) await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }

  async #finish(): Promise<Supervised<R>> {
    await this.#guardGone();
    this.#hearAll();
    if (this.#refusal !== undefined) throw this.#refusal;
    const [word = ''] = this.#options.command;
    if (this.#execErrno !== 0) throw execFailure(word, this.#execErrno);
    const observed = this.#observed ?? this.#options.nothing;
    // Killed before it could be seen to end.
    const status = this.#status ?? { signal: 9 };
    return { observed, status, path: this.#path, error: this.#error };
  }
}

function startGuard(
  path: string,
  {
    command,
    filter,
    renamed,
    isTraced = false,
  }: Pick<SuperviseOptions<unknown, never>, 'command' | 'filter' | 'renamed' | 'isTraced'>,
  theirs: number,
  descriptors: readonly number[],
): number {
  const blocked = processStatus('self')?.blocked ?? 0n;
  const target = { path, argv: command };
  const clear = (fd: number): number => (fd === renamed?.to ? moveAbove(fd, renamed.to) : fd);
  const socket = clear(theirs);
  const elf = guardElf({ target, socket, parent: process.pid, blocked, isTraced, ...(filter ? { filter } : {}) });
  const file = clear(memoryFile(GUARD_NAME, elf));
  try {
    return spawnBlocked({
      path: `/proc/self/fd/${file}`,
      argv: [GUARD_NAME],
      descriptors: [...descriptors, socket],
      ...(renamed && { renamed }),
    });
  } finally {
    closeDescriptor(file);
    closeDescriptor(socket);
  }
}

function isStopped(pid: number): boolean {
  try {
    // pid (name) state ...; the name may hold anything but ends at the last parenthesis. A traced job that is stopped is in state t.
    return /.*\) [Tt]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

const ENOENT = 2;
/** What went wrong where execve(2) gave an errno. */
export function execFailure(word: string, errno: number): CommandError {
  const exitCode = errno === ENOENT ? 127 : 126;
  return new CommandError('command_not_executable', exitCode, `Cannot run '${word}': execve: ${errnoName(errno)}`);
}
