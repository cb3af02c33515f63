/** What the tracing programs and Selkie share: the maps, and how their keys and values are laid out. Offsets in bytes. */

/** Descriptors of the maps, as they are open in the process that loads the programs. */
export interface Maps {
  /** u32 process → PROCESS: the processes that are observed. */
  readonly processes: number;
  /** What calls find first: see CALLER. */
  readonly callers: number;
  /** CALL_KEY → COUNT. */
  readonly counts: number;
  /** What known kinds of calls find first: see HIT. */
  readonly hits: number;
  /** u32 thread → u32: whether it is in a call; of threads that have a filter. */
  readonly threads: number;
  /** IMAGE_KEY → IMAGE: executables as execve(2) found them. */
  readonly images: number;
  /** u32 0 → GLOBALS. */
  readonly globals: number;
  /** u32 0 → room to put an IMAGE together. */
  readonly scratch: number;
}

/** u32 image, 0 before the first execve; u32 flags. */
export const PROCESS = { size: 8, image: 0, flags: 4 } as const;
/** The program has begun (else: start-up). */
export const IN_PROGRAM = 1;
/** New processes of this one are observed too. */
export const FOLLOW = 2;

/** u32 number; u32 kind: IN_PROGRAM, COMPAT, and from bit IMAGE_SHIFT on the image, which has fewer than 30 bits. As one u64 the number is the low half. */
export const CALL_KEY = { size: 8, nr: 0, kind: 4 } as const;
export const IMAGE_SHIFT = 2;
/** TS_COMPAT of arch/x86/include/asm/thread_info.h: the call came through the i386 entry. */
export const COMPAT = 2;

/** u64 count; u64 address behind the first call's instruction; u32 thread that made it; errnos seen, a bit each; u64 denied by filters. */
export const COUNT = { size: 56, count: 0, ip: 8, tid: 16, errnos: 24, largestErrno: 191, denied: 48 } as const;

/**
 * One value of u64s, at the last bits of a process's id: its id in the low half, its kind of calls (without COMPAT) in the high one. What is not there, or another's, is
 * in `processes`; what changes there is forgotten here.
 */
export const CALLER = { size: 8, room: 4096 } as const;

/**
 * One value of u64 key, u64 count, u64 errnos seen below 64: what calls add to, at a place that their key says, for each of some processors. Counts are to be
 * added to those of `counts`, where every kind of call is, and those alone that found their place taken.
 */
export const HIT = { size: 32, key: 0, count: 8, errnos: 16, room: 4096 } as const;

/** u64 inode; u32 device as the kernel writes it; u32 hash of the name. */
export const IMAGE_KEY = { size: 16, inode: 0, device: 8, hash: 12 } as const;
/** u32 number; u32 length of the names; the names of its path from the last to the first, each with a NUL. */
export const IMAGE = { size: 4368, id: 0, length: 4, names: 16, longest: 4096 } as const;

/** u64 images that have a number; u64 calls and images for which the maps had no room; u64 kinds of calls; u64 entries that were passed. */
export const GLOBALS = { size: 32, images: 0, lost: 8, kinds: 16, entered: 24 } as const;

/** Entries that the maps have room for. */
export const ROOM = { processes: 16_384, threads: 32_768, counts: 16_384, images: 512 } as const;
