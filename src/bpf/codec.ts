import { ProgramError } from '../base/errors.ts';
import type { Program } from './instruction.ts';

/** Bytes of one instruction (struct sock_filter). */
export const INSTRUCTION_SIZE = 8;

/** Encodes a program as the kernel takes it. */
export function encodeProgram(program: Program, littleEndian = true): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_SIZE);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, pc) => {
    const offset = pc * INSTRUCTION_SIZE;
    view.setUint16(offset, code, littleEndian);
    view.setUint8(offset + 2, jt);
    view.setUint8(offset + 3, jf);
    view.setUint32(offset + 4, k, littleEndian);
  });
  return bytes;
}

/**
 * Decodes a program; nothing is checked but the length.
 *
 * @throws {ProgramError} `bad_length` where the bytes are no whole number of instructions, or none
 */
export function decodeProgram(bytes: Uint8Array, littleEndian = true): Program {
  if (bytes.length === 0 || bytes.length % INSTRUCTION_SIZE !== 0) {
    const wanted = `a program is instructions of ${INSTRUCTION_SIZE} bytes`;
    throw new ProgramError('bad_length', `Cannot decode a program of ${bytes.length} bytes: ${wanted}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / INSTRUCTION_SIZE }, (_, pc) => {
    const offset = pc * INSTRUCTION_SIZE;
    return {
      code: view.getUint16(offset, littleEndian),
      jt: view.getUint8(offset + 2),
      jf: view.getUint8(offset + 3),
      k: view.getUint32(offset + 4, littleEndian),
    };
  });
}
