import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { basename } from 'node:path';
import { PolicyError, UsageError } from '../base/errors.ts';
import { isPermitted } from '../decision/actions.ts';
import type { LauncherForm } from '../elf/payload.ts';
import { isElf } from '../elf/read.ts';
import { ARCHES } from '../facts/arches.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { hasFileCapabilities } from '../kernel/xattr.ts';
import { decide } from '../policy/decide.ts';
import type { ResolvedPolicy } from '../policy/resolved.ts';

/** What can be known before a command starts: it would lack what it needs. Files that cannot be read are not judged. */

/** BINPRM_BUF_SIZE of include/uapi/linux/binfmts.h: what the kernel reads of a file to tell its kind. */
const HEAD = 256;
/** fs/exec.c exec_binprm: deeper scripts are ELOOP. */
const MAX_SCRIPTS = 5;
/** inode(7): setgid without the group's x bit says something else. */
const S_ISUID = 0o4000;
const S_ISGID_EXECUTABLE = 0o2010;

export interface CommandRules {
  /** The policy without `start:`. */
  readonly main: ResolvedPolicy;
  readonly form: LauncherForm;
}

/**
 * Looks at a command's file, and at the interpreters of a script.
 *
 * @throws {UsageError} `privileged_command`: it is setuid, setgid or has file capabilities, and no_new_privs would withhold them
 * @throws {PolicyError} `exec_refused`: a script for env(1), which executes another program, where `start:` alone permits execve
 */
export function checkCommand(path: string, rules: CommandRules): void {
  let file = path;
  for (let depth = 0; depth <= MAX_SCRIPTS; depth += 1) {
    const interpreter = checkFile(file, path, rules);
    if (interpreter === undefined) return;
    file = interpreter;
  }
}

/** @returns the interpreter, where the file is a script */
function checkFile(file: string, command: string, rules: CommandRules): string | undefined {
  const fd = openFile(file);
  if (fd === undefined) return undefined;
  try {
    const head = Buffer.alloc(HEAD);
    const text = head.toString('latin1', 0, readSync(fd, head, 0, HEAD, 0));
    const [, interpreter, word] = /^#![ \t]*([^ \t\n]+)[ \t]*([^\n]*)/.exec(text) ?? [];
    if (interpreter === undefined) {
      if (isElf(head)) requireNoPrivileges(file, fd);
      return undefined;
    }
    if (basename(interpreter) === 'env' && rules.form !== 'simple' && !permitsExec(rules.main))
      throw new PolicyError(
        'exec_refused',
        `Cannot run '${command}': its first line has ${interpreter} execute ${word?.trim() || 'another program'}, and start: permits execve once: add execve to syscalls:, name the interpreter itself in the script, or use --simple`,
      );
    return interpreter;
  } finally {
    closeSync(fd);
  }
}

function openFile(file: string): number | undefined {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

function permitsExec(main: ResolvedPolicy): boolean {
  const args = [1n, 1n, 1n, 0n, 0n, 0n];
  return main.arches.some(({ arch }) => {
    const nr = syscallNumber(arch, 'execve');
    return (
      nr !== undefined && isPermitted(decide(main, { nr, arch: ARCHES[arch].token, instructionPointer: 0n, args }))
    );
  });
}

function requireNoPrivileges(file: string, fd: number): void {
  const lost = lostPrivilege(fd, fstatSync(fd));
  if (lost !== undefined)
    throw new UsageError(
      'privileged_command',
      `Cannot run '${file}': it is ${lost}, which no process with a filter gets (no_new_privs): run it as the user that it needs, or without a policy`,
    );
}

/** What executing the file would give that this process does not have. */
function lostPrivilege(fd: number, { mode, uid, gid }: Stats): string | undefined {
  if ((mode & S_ISUID) !== 0 && uid !== process.geteuid?.()) return `setuid of uid ${uid}`;
  const isSetgid = (mode & S_ISGID_EXECUTABLE) === S_ISGID_EXECUTABLE;
  if (isSetgid && gid !== process.getegid?.()) return `setgid of gid ${gid}`;
  return process.geteuid?.() !== 0 && hasFileCapabilities(fd) ? 'a program with file capabilities' : undefined;
}
