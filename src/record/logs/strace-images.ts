import type { ArchName } from '../../facts/arches.ts';
import { syscallNumber } from '../../facts/syscalls.ts';
import { CallCounts, type LogCall, UNKNOWN_EXE } from './log.ts';

/** What tasks call between two execs, and of which ABI those calls are where strace does not say (`-o` leaves its words to stderr). */

export interface SeenCall {
  readonly name: string;
  /** Of `-n`. */
  readonly nr: number | undefined;
  readonly address: bigint | undefined;
  /** Where the log said it. */
  readonly mode: ArchName | undefined;
  /** The exec by which the first task of all was started. */
  readonly isFirst: boolean;
  count: number;
  denied: number;
}

/** A child begins in the image of its parent, which the log may tell only later. */
export interface Image {
  readonly exe: string | undefined;
  /** What the first call of a task executed. */
  firstExec?: string;
  parent?: Image;
  readonly calls: Map<string, SeenCall>;
}

/** @param notes - gets what the log leaves open */
export function callsOfImages(images: readonly Image[], notes: Set<string>): readonly LogCall[] {
  const groups = new Map<Image, Image[]>();
  for (const image of images) {
    const owner = ownerOf(image);
    const group = groups.get(owner);
    if (group) group.push(image);
    else groups.set(owner, [image]);
  }
  const counts = new CallCounts();
  for (const [owner, group] of groups) addGroup(owner, group, counts, notes);
  return counts.all();
}

/** The image that was executed, and that children share until they execute another. */
function ownerOf(image: Image): Image {
  let owner = image;
  while (owner.exe === undefined && owner.parent) owner = owner.parent;
  return owner;
}

function addGroup(owner: Image, group: readonly Image[], counts: CallCounts, notes: Set<string>): void {
  const calls = group.flatMap((image) => [...image.calls.values()].map((call) => ({ call, isRoot: !image.parent })));
  const abis = abisOf(calls.map(({ call }) => call));
  const exe = owner.exe ?? owner.firstExec ?? UNKNOWN_EXE;
  if (calls.length > 0 && exe === UNKNOWN_EXE)
    notes.add('some calls are of a process whose exec and parent are not in the log: its executable is "?"');
  if (abis.length > 1)
    notes.add(
      `"${exe}" makes calls of x86_64 and of i386: where a name is of both and the log has no number (strace -n), both are taken`,
    );
  for (const { call, isRoot } of calls) {
    const { name, nr, address, count, denied } = call;
    const phase = call.isFirst && isRoot && owner.exe === undefined ? 'start' : 'program';
    for (const arch of call.mode ? [call.mode] : abisOfCall(call, abis)) {
      if (arch === 'i386' && nr === undefined && MULTIPLEXED.test(name))
        notes.add(
          `i386: strace shows ${name} also where it was made by ${/^(?:msg|sem|shm)/.test(name) ? 'ipc' : 'socketcall'}: strace -n tells them apart`,
        );
      counts.add({
        exe,
        arch,
        name,
        ...(nr !== undefined && { nr }),
        phase,
        count,
        denied,
        ...(address !== undefined && { address }),
      });
    }
  }
}

/** Calls of sockets and of System V IPC, which i386 also has behind socketcall(2) and ipc(2). */
const MULTIPLEXED =
  /^(?:socket(?:pair)?|bind|connect|listen|accept4?|[gs]etsockopt|getsockname|getpeername|(?:send|recv)(?:to|from|m?msg)?|shutdown|(?:msg|sem|shm)\w+)$/;

const CANDIDATES = ['x86_64', 'i386'] as const;

function matches(arch: ArchName, { name, nr }: SeenCall): boolean {
  const number = syscallNumber(arch, name);
  return number !== undefined && (nr === undefined || nr === number);
}

/** The ABIs that an image used: those that alone have one of its calls, else those that the log names, else x86_64. */
function abisOf(calls: readonly SeenCall[]): readonly ArchName[] {
  const open = calls.filter(({ mode, isFirst }) => mode === undefined && !isFirst);
  const alone = CANDIDATES.filter((arch) =>
    open.some((call) => CANDIDATES.every((each) => matches(each, call) === (each === arch))),
  );
  if (alone.length > 0) return alone;
  const [named] = calls.flatMap(({ mode }) => mode ?? []);
  return [named ?? 'x86_64'];
}

function abisOfCall(call: SeenCall, abis: readonly ArchName[]): readonly ArchName[] {
  if (call.isFirst) return ['x86_64'];
  const possible = CANDIDATES.filter((arch) => matches(arch, call));
  if (possible.length === 1) return possible;
  return possible.length === 0 ? abis.slice(0, 1) : abis;
}
