import { BTI_C, CAVE_CODE, entryMark } from '../elf/stubs/entry-mark-aarch64.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';

/**
 * The code by which a program's entry makes a call of our own. On x86-64 (entry-mark-aarch64.ts has the other):
 *
 *     entry: mov eax, MARK_NR             cave: syscall
 *            lea r10, [entry]                   jmp r10
 *            movabs r11, cave
 *            jmp r11
 *
 * The cave is ld.so's own first instructions, which have run and never run again. rax, rcx, r10, r11 are free at a program's entry (System V ABI, 3.4.1).
 */

/** The number of our own call: one that no kernel has. */
export const MARK_NR = 0x5e1c1e;

export interface MarkCode {
  readonly entrySize: number;
  /** The code for an entry; `loader` is where ld.so begins. */
  entry(loader: bigint): Uint8Array;
  readonly cave: Uint8Array;
  /** How far behind the loader's begin the cave is, by the loader's first four bytes. */
  caveOffset(first: Uint8Array): bigint;
  /** Where a call of the cave returns to, from its begin. */
  readonly caveReturn: bigint;
}

const X86_64: MarkCode = {
  entrySize: 25,
  entry(loader) {
    const words = [
      0xb8, 0, 0, 0, 0, 0x4c, 0x8d, 0x15, 0, 0, 0, 0, 0x49, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0xff, 0xe3,
    ];
    const code = Uint8Array.from(words);
    const view = new DataView(code.buffer);
    view.setUint32(1, MARK_NR, true);
    // lea ends 12 bytes behind the entry.
    view.setInt32(8, -12, true);
    view.setBigUint64(14, loader, true);
    return code;
  },
  cave: Uint8Array.of(0x0f, 0x05, 0x41, 0xff, 0xe2),
  caveOffset: () => 0n,
  caveReturn: 2n,
};

const entryAarch64 = (loader: bigint): Uint8Array => entryMark((code) => code.mov('x8', MARK_NR), loader);

const AARCH64: MarkCode = {
  entrySize: entryAarch64(0n).length,
  entry: entryAarch64,
  cave: CAVE_CODE,
  caveOffset: (first) => (new DataView(first.buffer).getUint32(0, true) === BTI_C ? 4n : 0n),
  caveReturn: 4n,
};

export const MARK: MarkCode = NATIVE_ARCH === 'aarch64' ? AARCH64 : X86_64;
