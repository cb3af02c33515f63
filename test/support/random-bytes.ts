// Bytes that are no program, that are nearly one, and legal programs of any length.
import { checkProgram } from '../../src/bpf/check.ts';
import { encodeProgram } from '../../src/bpf/codec.ts';
import type { Instruction, Program } from '../../src/bpf/instruction.ts';
import { pick, type Random } from './random-policy.ts';
import { type ProgramShape, randomProgram } from './random-program.ts';

const below = (random: Random, limit: number): number => Math.floor(random() * limit);

/** Of any length; half of them a program with some bytes changed, cut off or repeated. */
export function randomBytes(random: Random): Uint8Array {
  if (random() < 0.3) return Uint8Array.from({ length: below(random, 400) }, () => below(random, 256));
  const bytes = encodeProgram(randomProgram(random, { length: 3 + below(random, 40), isSimple: true }));
  for (let changes = below(random, 3); changes > 0; changes -= 1)
    bytes[below(random, bytes.length)] = below(random, 256);
  const kind = random();
  if (kind < 0.1) return bytes.subarray(0, below(random, bytes.length));
  if (kind < 0.13) return Uint8Array.from({ length: 8 * 4097 }, (_, index) => bytes[index % bytes.length] as number);
  return bytes;
}

/** What is not legal in a random program becomes a return. */
export function randomLegalProgram(random: Random, shape: ProgramShape): Program {
  const program: Instruction[] = [...randomProgram(random, shape)];
  for (;;) {
    const fault = faultOf(program);
    if (fault === undefined) return program;
    program[fault] = { code: 0x06, jt: 0, jf: 0, k: pick(random, [0x7fff_0000, 0x0005_0001]) };
  }
}

function faultOf(program: Program): number | undefined {
  try {
    checkProgram(program);
    return undefined;
  } catch (error) {
    return (error as { pc: number }).pc;
  }
}
