import { UsageError } from '../base/errors.ts';
import { checkProgram } from '../bpf/check.ts';
import { decodeProgram } from '../bpf/codec.ts';
import type { Program } from '../bpf/instruction.ts';
import { compilePolicy } from '../compile/compile-policy.ts';
import { EM_AARCH64 } from '../elf/format.ts';
import { inspectLauncher } from '../elf/launcher.ts';
import { decodePaths } from '../elf/paths-table.ts';
import { inspectElf, isElf } from '../elf/seal.ts';
import type { ArchName } from '../facts/arches.ts';
import type { PathRules } from '../facts/landlock.ts';
import type { ProfileOptions } from '../formats/oci/select.ts';
import { filtersOf } from '../kernel/filters.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { executableHeader } from '../kernel/process.ts';
import { taskStatus, threadsOf } from '../kernel/task-status.ts';
import type { Policy } from '../policy/model.ts';
import { parsePolicy } from '../policy/parse.ts';
import { resolvePaths } from '../policy/paths.ts';
import { fromProfile } from './profile.ts';
import { readSource, sourceName } from './source.ts';

/** A filter, wherever it came from. */
export interface LoadedFilter {
  readonly kind: 'policy' | 'sealed' | 'program' | 'process';
  /** The programs that are in force together, newest first: one, but none or several for a process. */
  readonly stack: readonly Program[];
  /** Absent for a raw program and a process. */
  readonly policy?: Policy;
  /** What Landlock permits of files beside it; absent where there is none, and for a raw program and a process, of which it is not known. */
  readonly paths?: PathRules;
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

const PROCESS = /^pid:([1-9]\d{0,9})$/;

/**
 * The one loader of all commands: a policy file, a seccomp profile, a sealed binary, a raw BPF program, or what is in force on a process
 * (`pid:N`). A raw program always contains a NUL byte (every `ret` has jt = jf = 0), a policy never does.
 *
 * @throws {UsageError | PolicyError | ProgramError | ElfError}
 * @throws {UnsupportedError} as `filtersOf`
 */
export function loadFilter(source: string): LoadedFilter {
  const pid = PROCESS.exec(source)?.[1];
  if (pid !== undefined) return fromProcess(Number(pid));
  const bytes = readSource(source);
  if (isElf(bytes)) return fromSealed(bytes, source);
  if (bytes.includes(0)) return fromProgram(bytes);
  const { policy, notes } = readPolicy(decodeText(bytes, source), sourceName(source));
  // A profile's notes hold what compiling would say again, name by name.
  const paths = policy.paths && resolvePaths(policy.paths);
  return { kind: 'policy', policy, ...compiled(policy), ...(paths && { paths }), ...(notes && { notes }) };
}

function compiled(policy: Policy): { stack: readonly Program[]; arch: ArchName; notes: readonly string[] } {
  const arches = policy.arches ?? [NATIVE_ARCH];
  const { program, notes } = compilePolicy(policy, { arches });
  const said = policy.arches ? notes : [`no arches in the policy: compiled for ${arches[0]}`, ...notes];
  return { stack: [program], arch: arches[0] as ArchName, notes: said };
}

function fromProgram(bytes: Uint8Array): LoadedFilter {
  const program = decodeProgram(bytes);
  checkProgram(program);
  return { kind: 'program', stack: [program], arch: NATIVE_ARCH, notes: [] };
}

function fromSealed(bytes: Uint8Array, source: string): LoadedFilter {
  const sealed = inspectLauncher(bytes) ?? inspectElf(bytes);
  if (!sealed) {
    const message = `Cannot read a filter from "${source}": this binary is neither sealed nor a launcher; see: selkie seal --help`;
    throw new UsageError('not_sealed', message);
  }
  const policy = parsePolicy(sealed.policyText, { file: `${source} (sealed policy)` });
  return {
    kind: 'sealed',
    stack: [decodeProgram(sealed.program)],
    policy,
    ...(sealed.paths && { paths: decodePaths(sealed.paths) }),
    arch: sealed.machine === EM_AARCH64 ? 'aarch64' : 'x86_64',
    notes: [],
  };
}

/** In force on a process, or on one of its threads by its id. */
function fromProcess(pid: number): LoadedFilter {
  const stack = filtersOf(pid).map((program) => decodeProgram(program));
  const none = stack.length === 0 ? [`process ${pid} has no filter: every call is allowed`] : [];
  return { kind: 'process', stack, arch: processArch(pid), notes: [...none, ...otherThreads(pid, stack.length)] };
}

/** Filters belong to threads; those of one that is alone with its filters would be overlooked. */
function otherThreads(pid: number, count: number): readonly string[] {
  const others = threadsOf(pid).filter((tid) => {
    const status = taskStatus(tid);
    return status !== undefined && status.state !== 'Z' && (status.filters ?? count) !== count;
  });
  if (others.length === 0) return [];
  return [`other threads of process ${pid} have another number of filters: see pid:${others[0]}`];
}

const EM_386 = 3;
const ELFCLASS32 = 1;

/** The ABI that its executable is made for. */
function processArch(pid: number): ArchName {
  const header = executableHeader(pid);
  if (header?.[4] !== ELFCLASS32) return NATIVE_ARCH;
  return header[18] === EM_386 ? 'i386' : 'x32';
}
