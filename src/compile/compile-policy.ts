import type { Program } from '../bpf/instruction.ts';
import type { Policy } from '../policy/model.ts';
import { type ResolveOptions, resolvePolicy } from '../policy/resolve.ts';
import { type CompileOptions, compile } from './compile.ts';

export interface CompiledPolicy {
  readonly program: Program;
  /** What a person should know, such as names that an ABI lacks. */
  readonly notes: readonly string[];
}

/**
 * Looks everything up and compiles.
 *
 * @throws {PolicyError | ProgramError}
 */
export function compilePolicy(policy: Policy, options: ResolveOptions & CompileOptions = {}): CompiledPolicy {
  const resolved = resolvePolicy(policy, options);
  return { program: compile(resolved, options), notes: resolved.notes };
}
