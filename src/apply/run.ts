import type { LauncherParts } from '../elf/payload.ts';
import { launcherElf } from '../elf/stubs/launcher-x86-64.ts';
import { ownLauncherAarch64 } from '../elf/stubs/own-launcher-aarch64.ts';
import { findExecutable } from '../kernel/command.ts';
import { inheritedDescriptors } from '../kernel/descriptors.ts';
import { memoryFile, replaceProcess } from '../kernel/spawn.ts';

/** What `run` starts, and under which filter. */
export interface ConfinedCommand {
  /** The filter, encoded instructions of 8 bytes; must answer the probe call and permit the launcher's execve. */
  readonly program: Uint8Array;
  /** The command and its arguments; the first word is searched in PATH. */
  readonly command: readonly string[];
}

/**
 * Runs a command under a filter by replacing this process: nothing of Selkie stays, so signals, terminal, exit code and pid are the
 * command's own. Fails closed: where the filter is not in force, the launcher exits with 125 and the command does not run. The command
 * gets the descriptors that this process inherited and no other.
 *
 * @throws {CommandError} no such command (its `exitCode` is 127), or not executable (126)
 * @throws {SyscallError} the kernel refuses memory files or execveat(2)
 */
export function execConfined(options: ConfinedCommand): never {
  const [word = ''] = options.command;
  const path = findExecutable(word);
  const launcher = memoryFile('selkie-run', launcherElf(options.program, { path, argv: options.command }));
  replaceProcess(launcher, ['selkie'], inheritedDescriptors());
}

/**
 * The same on AArch64, by the launcher that stands alone: what only `start:` permits is in force until the command's entry.
 *
 * @throws as execConfined
 */
export function execByLauncher(parts: LauncherParts, command: readonly string[]): never {
  findExecutable(command[0] ?? '');
  const launcher = memoryFile('selkie-run', ownLauncherAarch64(parts));
  replaceProcess(launcher, ['selkie', ...command], inheritedDescriptors());
}
