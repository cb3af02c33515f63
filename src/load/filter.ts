import { UsageError } from '../base/errors.ts';
import { checkProgram } from '../bpf/check.ts';
import { decodeProgram } from '../bpf/codec.ts';
import type { Program } from '../bpf/instruction.ts';
import { compilePolicy } from '../compile/compile-policy.ts';
import { inspectElf, isElf } from '../elf/seal.ts';
import type { ArchName } from '../facts/arches.ts';
import type { ProfileOptions } from '../formats/oci/select.ts';
import type { Policy } from '../policy/model.ts';
import { parsePolicy } from '../policy/parse.ts';
import { nativeArch } from './native.ts';
import { fromProfile } from './profile.ts';
import { readSource, sourceName } from './source.ts';

/** A filter, wherever it came from. */
export interface LoadedFilter {
  readonly kind: 'policy' | 'sealed' | 'program';
  readonly program: Program;
  /** Absent for a raw program. */
  readonly policy?: Policy;
  /** ABI whose names are used to show it. */
  readonly arch: ArchName;
  /** What a person should know, such as names that the ABI lacks. */
  readonly notes: readonly string[];
}

/** How `loadPolicy` reads what is no policy of ours. */
export interface LoadOptions {
  /** For seccomp profiles: see `fromProfile`. */
  readonly profile?: Partial<ProfileOptions>;
  /** Told what a person should know of the reading. */
  readonly onNote?: (note: string) => void;
}

/** Reads a policy's text, or a seccomp profile's; `source` is a path or `-`. */
export function loadPolicy(source: string, { profile, onNote }: LoadOptions = {}): Policy {
  const { policy, notes } = readPolicy(decodeText(readSource(source), source), sourceName(source), profile);
  if (onNote) notes?.forEach(onNote);
  return policy;
}

/** `notes` is absent for a policy of ours. */
function readPolicy(
  text: string,
  file: string,
  profile?: Partial<ProfileOptions>,
): { policy: Policy; notes?: readonly string[] } {
  return fromProfile(text, file, profile) ?? { policy: parsePolicy(text, { file }) };
}

function decodeText(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const message = `Cannot read policy "${sourceName(source)}": it is not UTF-8 text`;
    throw new UsageError('not_a_policy', message, { cause: error });
  }
}

/**
 * The one loader of all commands: a policy file, a seccomp profile, a sealed binary or a raw BPF program. A raw program always contains a NUL byte
 * (every `ret` has jt = jf = 0), a policy never does.
 *
 * @throws {UsageError | PolicyError | ProgramError | ElfError}
 */
export function loadFilter(source: string): LoadedFilter {
  const bytes = readSource(source);
  if (isElf(bytes)) return fromSealed(bytes, source);
  if (bytes.includes(0)) return fromProgram(bytes);
  const { policy, notes } = readPolicy(decodeText(bytes, source), sourceName(source));
  // A profile's notes hold what compiling would say again, name by name.
  return { kind: 'policy', policy, ...compiled(policy), ...(notes && { notes }) };
}

function compiled(policy: Policy): { program: Program; arch: ArchName; notes: readonly string[] } {
  const arches = policy.arches ?? [nativeArch()];
  const { program, notes } = compilePolicy(policy, { arches });
  const said = policy.arches ? notes : [`no arches in the policy: compiled for ${arches[0]}`, ...notes];
  return { program, arch: arches[0] as ArchName, notes: said };
}

function fromProgram(bytes: Uint8Array): LoadedFilter {
  const program = decodeProgram(bytes);
  checkProgram(program);
  return { kind: 'program', program, arch: nativeArch(), notes: [] };
}

function fromSealed(bytes: Uint8Array, source: string): LoadedFilter {
  const sealed = inspectElf(bytes);
  if (!sealed) {
    const message = `Cannot read a filter from "${source}": this binary is not sealed; see: selkie seal --help`;
    throw new UsageError('not_sealed', message);
  }
  const policy = parsePolicy(sealed.policyText, { file: `${source} (sealed policy)` });
  return { kind: 'sealed', program: decodeProgram(sealed.program), policy, arch: 'x86_64', notes: [] };
}
