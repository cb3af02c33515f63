import { checkProgram } from '../bpf/check.ts';
import type { Program } from '../bpf/instruction.ts';
import { Diagrams, type Node } from '../decision/diagrams.ts';
import { diagramOfPolicy } from '../decision/from-policy.ts';
import { diagramOfProgram } from '../decision/from-program.ts';
import type { ResolvedPolicy } from '../policy/resolved.ts';
import { layOut } from './layout.ts';
import { lowerDiagram } from './lower.ts';
import { type CallCounts, weightsBy } from './weights.ts';

export interface CompileOptions {
  /**
   * Also answer the probe call (facts/seccomp.ts) with its magic errno, before anything that the policy says of seccomp(2). Whatever
   * installs a filter wants it.
   */
  readonly probe?: boolean;
  /** How often calls were seen: frequent ones get short ways. */
  readonly counts?: CallCounts;
}

/**
 * Compiles a policy to a program: the architecture first, then the number, then arguments. Deterministic. The program's own meaning is
 * computed from its instructions and held against the policy's: what is returned is proven equal for every call.
 *
 * @returns a program that the kernel's checker accepts
 * @throws {ProgramError} `program_too_long`
 * @throws {CannotTellError} the policy's conditions are too intricate for an exact answer
 */
export function compile(policy: ResolvedPolicy, options: CompileOptions = {}): Program {
  const space = new Diagrams();
  const meaning = diagramOfPolicy(space, policy, options);
  return compileDiagram(space, meaning, options);
}

/** Compiles what a diagram means, and proves it. */
export function compileDiagram(
  space: Diagrams,
  meaning: Node,
  { counts }: Pick<CompileOptions, 'counts'> = {},
): Program {
  const program = layOut(lowerDiagram(space, meaning, weightsBy(counts)));
  checkProgram(program);
  // A fault of ours must never become a filter.
  if (diagramOfProgram(space, program) !== meaning)
    throw new Error('the compiled program does not mean what the policy means');
  return program;
}
