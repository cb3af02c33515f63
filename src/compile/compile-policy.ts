import { PolicyError } from '../base/errors.ts';
import type { Program } from '../bpf/instruction.ts';
import { permitted } from '../decision/actions.ts';
import { CannotTellError } from '../decision/cannot-tell.ts';
import { Diagrams } from '../decision/diagrams.ts';
import { diagramOfPolicy } from '../decision/from-policy.ts';
import { findCall } from '../decision/witness.ts';
import { ARCH_NAMES, ARCHES } from '../facts/arches.ts';
import { syscallName } from '../facts/syscalls.ts';
import type { Policy } from '../policy/model.ts';
import { type ResolveOptions, resolvePolicy } from '../policy/resolve.ts';
import type { ResolvedPolicy } from '../policy/resolved.ts';
import { servicePolicy } from '../policy/service.ts';
import { type CompileOptions, compile, LIMITS } from './compile.ts';

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

/**
 * Compiles what `service:` says: the program that is put in force over that of `syscalls:`. It is proven to permit nothing that the other
 * one refuses, so that what is written is what is in force.
 *
 * @throws {PolicyError} `no_service`, `wider_service` with a call; {PolicyError | ProgramError} as compilePolicy
 */
export function compileService(
  policy: Policy,
  options: Pick<ResolveOptions, 'arches'> & Pick<CompileOptions, 'counts'> = {},
): CompiledPolicy {
  const service = resolvePolicy(servicePolicy(policy), options);
  requireNarrower(service, resolvePolicy(policy, options));
  return { program: compile(service, { ...options, probe: 'service' }), notes: service.notes };
}

function requireNarrower(service: ResolvedPolicy, syscalls: ResolvedPolicy): void {
  const space = new Diagrams(LIMITS);
  try {
    const [inner, outer] = [service, syscalls].map((each) => permitted(space, diagramOfPolicy(space, each)));
    const found = findCall(space, space.and(inner as number, space.not(outer as number)));
    if (found === undefined) return;
    const arch = ARCH_NAMES.find((name) => ARCHES[name].token === found.arch && syscallName(name, found.nr));
    const name = (arch && syscallName(arch, found.nr)) ?? `syscall(${found.nr})`;
    const problem = `service permits ${name}(${found.args.join(', ')}), which syscalls refuse`;
    throw new PolicyError('wider_service', `${problem}: allow it there too, or leave it out`);
  } catch (error) {
    // Two filters are in force then: what one of them refuses is refused, whatever cannot be told here.
    if (!(error instanceof CannotTellError)) throw error;
  }
}
