import { PolicyError, UsageError } from '../base/errors.ts';
import { encodeProgram } from '../bpf/codec.ts';
import { compileInjection } from '../compile/compile.ts';
import { ownLauncherAarch64 } from '../elf/stubs/own-launcher-aarch64.ts';
import { type Injection, ownLauncherX8664 } from '../elf/stubs/own-launcher-x86-64.ts';
import { findExecutable } from '../kernel/command.ts';
import { inheritedDescriptors } from '../kernel/descriptors.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { memoryFile, replaceProcess } from '../kernel/spawn.ts';
import type { Policy } from '../policy/model.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import { checkCommand } from './command-file.ts';
import { compileLauncher, tableOfPaths } from './launcher.ts';

/**
 * How `start:` ends: at the entry, by notification or else by ptrace (`auto`), by ptrace in any case (`inject`), or never (`simple`).
 */
export type RunWay = 'auto' | 'inject' | 'simple';

export interface RunOptions {
  readonly policy: Policy;
  /** The command and its arguments; the first word is searched in PATH. */
  readonly command: readonly string[];
  readonly way?: RunWay;
}

/**
 * Runs a command under a policy by replacing this process by a launcher, which becomes the command: nothing of Selkie stays, so signals, terminal, exit
 * code and pid are the command's own. Fails closed: where the filter is not in force, the launcher exits with 125 and the command does not run.
 * The command gets the descriptors that this process inherited and no other.
 *
 * @throws {CommandError} no such command (its `exitCode` is 127), or not executable (126)
 * @throws {PolicyError | ProgramError} the policy cannot be compiled, is for other ABIs, or the command cannot run under it; see `checkCommand`
 * @throws {SyscallError} the kernel refuses memory files or execveat(2)
 */
export function runWithPolicy({ policy, command, way = 'auto' }: RunOptions): never {
  const path = findExecutable(command[0] ?? '');
  const launcher = memoryFile('selkie-run', runLauncher(policy, path, way));
  replaceProcess(launcher, ['selkie', ...command], inheritedDescriptors());
}

/** What `run` becomes: a static executable that confines itself and becomes its arguments. @throws as runWithPolicy does */
export function runLauncher(policy: Policy, path: string, way: RunWay): Uint8Array {
  const arches = policy.arches ?? [NATIVE_ARCH];
  if (!arches.includes(NATIVE_ARCH)) {
    const problem = `this policy is for ${arches.join(', ')}, what it shall confine is ${NATIVE_ARCH}`;
    throw new PolicyError('wrong_arch', `${problem}: add ${NATIVE_ARCH} to arches`);
  }
  const { program, form } = compileLauncher(policy, NATIVE_ARCH, way === 'simple');
  const main = resolvePolicy(policy, { arches });
  checkCommand(path, { main, form });
  const parts = { program, form, ...tableOfPaths(policy) };
  if (NATIVE_ARCH === 'aarch64') {
    if (way === 'inject') throw new UsageError('not_on_aarch64', 'Cannot take --inject: it needs x86-64');
    return ownLauncherAarch64(parts);
  }
  if (form === 'simple') return ownLauncherX8664(parts);
  const { first, second } = compileInjection(main, resolvePolicy(policy, { arches, includeStart: true }));
  const injection: Injection = {
    first: encodeProgram(first),
    second: encodeProgram(second),
    always: way === 'inject',
  };
  return ownLauncherX8664(parts, undefined, injection);
}
