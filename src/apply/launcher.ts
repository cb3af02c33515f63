import { createHash } from 'node:crypto';
import { PolicyError } from '../base/errors.ts';
import { encodeProgram } from '../bpf/codec.ts';
import { compileStart } from '../compile/compile.ts';
import { compilePolicy } from '../compile/compile-policy.ts';
import { EM_AARCH64, EM_X86_64 } from '../elf/format.ts';
import { inspectLauncher, isIntact, type Launcher, launcherFile } from '../elf/launcher.ts';
import { encodePaths } from '../elf/paths-table.ts';
import type { LauncherForm } from '../elf/payload.ts';
import type { ArchName } from '../facts/arches.ts';
import { writeFileAtomically } from '../kernel/files.ts';
import type { Policy } from '../policy/model.ts';
import { resolvePaths } from '../policy/paths.ts';
import { printPolicy } from '../policy/print.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import { requireFree } from './replace-file.ts';

const MACHINES: Readonly<Partial<Record<ArchName, number>>> = { x86_64: EM_X86_64, aarch64: EM_AARCH64 };

export interface LauncherOptions {
  readonly policy: Policy;
  /** The ABI that the launcher is a program of. */
  readonly arch: ArchName;
  /** Where it goes; `force`: replace what is there. */
  readonly output: string;
  readonly force: boolean;
  /** `start:` is in force the whole time. */
  readonly simple: boolean;
}

export interface LauncherResult {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly arch: ArchName;
  readonly form: LauncherForm;
  readonly instructions: number;
  readonly notes: readonly string[];
}

/**
 * Writes a launcher: a static executable that confines itself and becomes its arguments.
 *
 * @throws {PolicyError} `wrong_arch`: the policy is not for the launcher's ABI; and as compileStart does
 * @throws {UsageError} `output_exists`, `cannot_write`
 * @throws {ElfError} `elf_machine`: there is no launcher for this ABI
 */
export function writeLauncher({ policy, arch, output, force, simple }: LauncherOptions): LauncherResult {
  requireFree({ path: output, force });
  requireArch(policy, arch);
  const { program, form, notes } = compileLauncher(policy, arch, simple);
  const payload = {
    machine: MACHINES[arch] ?? 0,
    form,
    program,
    policyText: printPolicy(policy),
    ...tableOfPaths(policy),
  };
  const bytes = launcherFile(payload, sha256);
  writeFileAtomically(output, bytes, { mode: 0o755 });
  return { path: output, size: bytes.length, arch, form, instructions: program.length / 8, notes };
}

/** What a launcher or a stub carries of `paths:`. */
export function tableOfPaths({ paths }: Policy): { readonly paths?: Uint8Array } {
  return paths ? { paths: encodePaths(resolvePaths(paths)) } : {};
}

/** What a launcher holds, and whether it is as Selkie wrote it; undefined for what is none. @throws {ElfError} */
export function readLauncher(bytes: Uint8Array): (Launcher & { readonly intact: boolean }) | undefined {
  const launcher = inspectLauncher(bytes);
  return launcher && { ...launcher, intact: isIntact(bytes, launcher, sha256) };
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

function requireArch({ arches }: Policy, arch: ArchName): void {
  if (arches === undefined || arches.includes(arch)) return;
  const others = arches.filter((each) => MACHINES[each] !== undefined);
  const other = others.length > 0 ? `, or make the launcher of that machine: --arch ${others[0]}` : '';
  const problem = `this policy is for ${arches.join(', ')}, the launcher is a program of ${arch}`;
  throw new PolicyError(
    'wrong_arch',
    `${problem}: retarget the policy (${arch} in arches, with the calls of that ABI)${other}`,
  );
}

/** What a launcher installs. */
export interface CompiledLauncher {
  /** Encoded. */
  readonly program: Uint8Array;
  readonly form: LauncherForm;
  readonly notes: readonly string[];
}

/** @throws {PolicyError | ProgramError} as compileStart does */
export function compileLauncher(policy: Policy, arch: ArchName, simple: boolean): CompiledLauncher {
  const arches = policy.arches ?? [arch];
  const said = policy.arches ? [] : [`no arches in the policy: compiled for ${arch}`];
  if (simple) {
    const { program, notes } = compilePolicy(policy, { arches, includeStart: true, probe: true });
    return { program: encodeProgram(program), form: 'simple', notes: [...said, ...notes] };
  }
  const withStart = resolvePolicy(policy, { arches, includeStart: true });
  const { program, isNeeded, isMoreThanExec } = compileStart(resolvePolicy(policy, { arches }), withStart, arch);
  const form = !isNeeded ? 'simple' : isMoreThanExec ? 'loader' : 'exec';
  if (!isNeeded) said.push('start: permits nothing that syscalls: does not');
  return { program: encodeProgram(program), form, notes: [...said, ...withStart.notes] };
}
