import type { Program } from '../bpf/instruction.ts';
import type { SeenInstallation } from './server.ts';

/** What is in force on the thread that made the last installation. */
export interface InForce {
  readonly last: SeenInstallation;
  /** Newest first, as in the kernel: its own and those that it inherited. */
  readonly stack: readonly Program[];
  /** How many of them another process installed before it made this one. */
  readonly inherited: number;
  /** Whether the kernel counts as many on that thread. */
  readonly isSure: boolean;
}

type Readable = SeenInstallation & { readonly program: Program };

/**
 * The filters that are together on the thread that made the last installation: its own, those of its process's other threads, and those of
 * its ancestors, as far as they were accepted. A filter that an ancestor installed after it had made the process is none of them;
 * the kernel's count tells.
 *
 * @param isReal - whether the kernel made the installations, so that it counts them
 * @returns undefined where no accepted filter could be read
 */
export function inForceAtEnd(seen: readonly SeenInstallation[], isReal: boolean): InForce | undefined {
  const accepted = seen.filter((each): each is Readable => each.errno === 0 && each.program !== undefined);
  const last = accepted.at(-1);
  if (last === undefined) return undefined;
  const line = new Set([last.pid, ...last.ancestors]);
  const ofLine = accepted.slice(0, -1).filter(({ pid }) => line.has(pid));
  const ways = [
    ofLine,
    ofLine.filter(({ pid, tid }) => pid !== last.pid || tid === last.tid),
    ofLine.filter(({ pid }) => pid === last.pid),
    ofLine.filter(({ tid }) => tid === last.tid),
  ];
  const counted = isReal ? ways.find(({ length }) => length === last.before) : ofLine;
  const below = counted ?? ofLine;
  return {
    last,
    stack: [...below, last].reverse().map(({ program }) => program),
    inherited: below.filter(({ pid }) => pid !== last.pid).length,
    isSure: counted !== undefined,
  };
}
