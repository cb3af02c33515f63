import { PolicyError } from '../base/errors.ts';
import { encodeProgram } from '../bpf/codec.ts';
import { compilePolicy } from '../compile/compile-policy.ts';
import { EM_AARCH64 } from '../elf/format.ts';
import { isElf } from '../elf/read.ts';
import type { ArchName } from '../facts/arches.ts';
import type { Policy } from '../policy/model.ts';
import { printPolicy } from '../policy/print.ts';
import { tableOfPaths } from './launcher.ts';
import { readSource } from './replace-file.ts';
import { type OutputOptions, type SealFileResult, sealFile } from './seal.ts';

/** A program for the seal stub: it answers the probe call. */
interface Installable {
  readonly program: Uint8Array;
  readonly notes: readonly string[];
}

function installable(policy: Policy, target: ArchName): Installable {
  const arches = policy.arches ?? [target];
  if (!arches.includes(target)) {
    const problem = `this policy is for ${arches.join(', ')}, what it shall confine is ${target}`;
    throw new PolicyError('wrong_arch', `${problem}: add ${target} to arches`);
  }
  const { program, notes } = compilePolicy(policy, { arches, probe: true });
  const said = policy.arches ? [] : [`no arches in the policy: compiled for ${target}`];
  return { program: encodeProgram(program), notes: [...said, ...notes] };
}

/** The ABI that a binary is made for; sealing itself refuses what it cannot seal. */
function archOf(binary: string): ArchName {
  const { bytes } = readSource(binary);
  return isElf(bytes) && bytes[18] === EM_AARCH64 ? 'aarch64' : 'x86_64';
}

export interface SealedFile extends SealFileResult {
  readonly instructions: number;
  readonly notes: readonly string[];
}

/**
 * Compiles a policy without its `start:` and seals it into a binary.
 *
 * @throws {PolicyError | ProgramError} the policy cannot be compiled, or is for other ABIs; `sealFile` says the rest
 */
export function sealWithPolicy(
  options: OutputOptions & { readonly binary: string; readonly policy: Policy },
): SealedFile {
  const { policy, ...files } = options;
  const { program, notes } = installable(policy, archOf(files.binary));
  const result = sealFile({ ...files, program, policyText: printPolicy(policy), ...tableOfPaths(policy) });
  return { ...result, instructions: program.length / 8, notes };
}
