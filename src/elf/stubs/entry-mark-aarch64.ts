import { AssemblerA64 } from '../asm-aarch64.ts';

/**
 * The code that is planted at a program's entry, so that reaching it is a call; the cave is ld.so's own first instructions behind its landing place, if it has
 * one. x0 stays; x1, x8, x16, x17 are free at a program's entry. Reached by any jump, it goes on through x16, which every landing place takes.
 *
 *     entry: bti jc                     cave: svc 0
 *            (the call, in x8 and x1)         br x17
 *            adr x17, entry
 *            ldr x16, address
 *            br x16
 *            (address of ld.so's entry)
 *
 * The call's result must be its first argument: the function that ld.so passes to the program in x0.
 *
 * @param setCall - emits the call's number, and arguments that are not the first
 */
export function entryMark(setCall: (code: AssemblerA64) => void, address = 0n): Uint8Array {
  const code = new AssemblerA64().label('entry').bti('jc');
  setCall(code);
  return code
    .adr('x17', 'entry')
    .ldrLabel('x16', 'address')
    .br('x16')
    .align(4)
    .label('address')
    .u64(address)
    .assemble();
}

export const CAVE_CODE: Uint8Array = new AssemblerA64().svc().br('x17').assemble();
/** A landing place: the cave begins behind it. */
export const BTI_C = 0xd503_245f;
