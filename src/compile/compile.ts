import { checkProgram } from '../bpf/check.ts';
import type { Program } from '../bpf/instruction.ts';
import type { ResolvedPolicy } from '../policy/resolved.ts';
import { decisionOf } from './from-policy.ts';
import { layOut } from './layout.ts';

export interface CompileOptions {
  /**
   * Also answer the probe call (facts/seccomp.ts) with its magic errno, before anything that the policy says of seccomp(2). Whatever
   * installs a filter wants it.
   */
  readonly probe?: boolean;
}

/**
 * Compiles a policy to a program: the architecture first, then the number, then arguments. Deterministic.
 *
 * @returns a program that the kernel's checker accepts
 * @throws {ProgramError} `program_too_long`
 */
export function compile(policy: ResolvedPolicy, options: CompileOptions = {}): Program {
  const program = layOut(decisionOf(policy, options.probe === true));
  checkProgram(program);
  return program;
}
