import { realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { waiterElf } from '../elf/stubs/waiter-x86-64.ts';
import { findExecutable } from '../kernel/command.ts';
import { closeDescriptor } from '../kernel/descriptors.ts';
import { kill, processStatus } from '../kernel/process.ts';
import { memoryFile, reap, receiveMessage, sendByte, socketPair, spawnBlocked } from '../kernel/spawn.ts';
import { detach, isExecStop, isStop, stopAtExec } from '../kernel/tracee.ts';
import { type EntryPoint, entryPointOfCommand } from './entry-point.ts';
import type { Observed, Progress } from './protocol.ts';
import { type ExitStatus, execFailure, exitStatusOf, type Supervised } from './session.ts';
import type { ExecutableCall } from './tally.ts';
import { openTracer, type Tracer } from './tracer.ts';
import { TracerReading } from './tracer-reading.ts';

/** A command that is observed by eBPF: it is our child, nothing of it waits for us, and it goes on where we end. */

/** How long one may look away: first calls of processes that are gone by then have an address only. Shorter while there is news. */
const LONGEST_MS = 20;
const SHORTEST_MS = 2;

/** The execve by which the command began, as arch/x86/entry/syscalls/syscall_64.tbl has it. */
const EXECVE = 59;
const WAITER_NAME = 'selkie-waiter';

/**
 * Runs a command and counts all system calls of it and its descendants, until the last of them is gone; or, when it is gone itself, until
 * SIGINT or SIGTERM.
 *
 * @param descriptors - those of ours that the command shall have
 * @param args - whether calls are told apart by their selector arguments
 * @throws {UnsupportedError} no eBPF here; nothing was started
 * @throws {CommandError} as superviseCommand
 */
export async function traceCommand(
  command: readonly string[],
  descriptors: readonly number[],
  args: boolean,
  onProgress: (progress: Progress) => void,
): Promise<Supervised<Observed>> {
  const [word = ''] = command;
  const path = findExecutable(word);
  const tracer = await openTracer(args);
  const [ours, theirs] = socketPair();
  try {
    const pid = startWaiter({ path, argv: command }, theirs, descriptors);
    const entry = entryPointOfCommand(path);
    // Else its own execve would be the command's first: posix_spawn(3) returns in the midst of it.
    while (receiveMessage(ours) === undefined) await pause(1);
    const hasStart = entry !== undefined && !entry.isFirst && mayStop() && stopAtExec(pid);
    tracer.observeLaunch(pid, hasStart);
    sendByte(ours);
    let isWatched = entry?.isFirst === true;
    const stopped = (word: number): void => {
      if (entry !== undefined && isExecStop(word)) isWatched = tracer.watchEntry(pid, entry.bits);
      detach(pid, word);
    };
    const status = await follow(pid, tracer, stopped, onProgress);
    const [errno] = receiveMessage(ours)?.bytes ?? [];
    if (errno !== undefined) throw execFailure(word, errno);
    return { observed: observedBy(tracer, isWatched ? entry : undefined), status, path, error: tracer.loss };
  } finally {
    closeDescriptor(ours);
    tracer.close();
  }
}

/** Rights that a program's file gives it are not given to a traced one: see stopAtExec. */
const mayStop = (): boolean => process.geteuid?.() === 0;

/** Waits for the command and what it leaves behind; SIGINT of a terminal reaches the command without us. `onStop` is told of stops by ptrace. */
async function follow(
  pid: number,
  tracer: Tracer,
  onStop: (word: number) => void,
  onProgress: (progress: Progress) => void,
): Promise<ExitStatus> {
  let status: ExitStatus | undefined;
  let isAsked = false;
  const signals = passSignals(pid, () => {
    isAsked = true;
    return status === undefined;
  });
  const reading = new TracerReading(tracer, onProgress);
  const pauses = new Pauses();
  try {
    for (;;) {
      const word = status === undefined ? reap(pid) : undefined;
      if (word !== undefined && isStop(word)) onStop(word);
      else if (word !== undefined) status = exitStatusOf(word);
      const isOver = status !== undefined && (isAsked || !tracer.hasProcesses);
      const isNew = reading.look(isOver);
      if (isOver && status !== undefined) return status;
      await pauses.next(isNew);
    }
  } finally {
    pauses.close();
    signals.close();
  }
}

/** Pauses that grow while there is no news, and end when a child does. */
class Pauses {
  #ms = SHORTEST_MS;
  #end = (): void => {};
  readonly #hear = (): void => this.#end();

  constructor() {
    process.on('SIGCHLD', this.#hear);
  }

  next(isNew: boolean): Promise<void> {
    this.#ms = isNew ? SHORTEST_MS : Math.min(LONGEST_MS, 2 * this.#ms);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#ms);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): void {
    process.off('SIGCHLD', this.#hear);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const PASSED = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const;

/** Passes signals on to the command; those of a terminal it has got itself. `isWanted` is told of each, and says whether the command lives. */
function passSignals(pid: number, isWanted: () => boolean): { close(): void } {
  const hear = (name: NodeJS.Signals, signal: number): void => {
    const isOfTerminal = name !== 'SIGTERM' && isatty(0);
    if (isWanted() && !isOfTerminal) kill(pid, signal);
  };
  const handlers = PASSED.map((name) => [name, () => hear(name, constants.signals[name])] as const);
  for (const [name, handler] of handlers) process.on(name, handler);
  return {
    close: () => {
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
}

function observedBy(tracer: Tracer, entry: EntryPoint | undefined): Observed {
  const results = tracer.results();
  const first = tracer.firstImage;
  // Something else than the entry's file began (binfmt_misc): rather too much is the program's than too little.
  const hasEntry = entry !== undefined && first === pathOf(entry.path);
  const phased = hasEntry ? results : results.map((call): ExecutableCall => ({ ...call, phase: 'program' }));
  const launch: readonly ExecutableCall[] =
    first === undefined ? [] : [{ exe: first, phase: 'start', arch: 'x86_64', nr: EXECVE, count: 1, ip: 0n }];
  const all = [...launch, ...phased];
  const calls = all.reduce((sum, { count }) => sum + count, 0);
  return { calls, boundary: hasEntry ? 'entry' : 'exec', results: all, isSynchronous: false };
}

function pathOf(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined;
  }
}

function startWaiter(
  target: { readonly path: string; readonly argv: readonly string[] },
  socket: number,
  descriptors: readonly number[],
): number {
  const blocked = processStatus('self')?.blocked ?? 0n;
  const file = memoryFile(WAITER_NAME, waiterElf({ target, socket, blocked }));
  try {
    return spawnBlocked({ path: `/proc/self/fd/${file}`, argv: [WAITER_NAME], descriptors: [...descriptors, socket] });
  } finally {
    closeDescriptor(file);
    closeDescriptor(socket);
  }
}
