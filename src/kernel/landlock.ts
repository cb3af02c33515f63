import { closeSync, fstatSync } from 'node:fs';
import { SyscallError, UnsupportedError } from '../base/errors.ts';
import {
  HANDLED_BY_ABI,
  LANDLOCK_CREATE_RULESET_VERSION,
  LANDLOCK_RULE_PATH_BENEATH,
  type PathRule,
  type PathRules,
  RIGHTS_OF_FILES,
} from '../facts/landlock.ts';
import { AT_FDCWD, NR } from './abi.ts';
import { mustSyscall, syscallError, trySyscall } from './libc.ts';

/** Landlock for this process, as landlock(7) has it; elf/stubs/landlock.ts is the same for others. */

const [ENOENT, EPERM, EBADF] = [2, 1, 9];
const O_PATH_CLOEXEC = 0o10000000 | 0o2000000;
const PURPOSE = 'put paths: in force';

/** The ABI that the kernel has. @throws {SyscallError} it has none, or an outer filter refuses the question */
export function landlockAbi(): number {
  const nr = NR.landlock_create_ruleset;
  return mustSyscall('landlock_create_ruleset', PURPOSE, nr, null, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/**
 * Makes a ruleset; nothing is in force yet.
 *
 * @returns its descriptor, close-on-exec
 * @throws {UnsupportedError} the kernel's ABI is older than the rules ask for
 * @throws {SyscallError} refused, or a path is missing, which the message names
 */
export function openRuleset({ abi, rules }: PathRules): number {
  const found = landlockAbi();
  if (found < abi)
    throw new UnsupportedError('paths', `Cannot ${PURPOSE}: Landlock has ABI ${found} here, paths: asks for ${abi}`);
  const handled = HANDLED_BY_ABI.findLast((each) => each.abi <= found)?.rights ?? 0;
  const attributes = Buffer.alloc(8);
  attributes.writeBigUInt64LE(BigInt(handled));
  const ruleset = mustSyscall('landlock_create_ruleset', PURPOSE, NR.landlock_create_ruleset, attributes, 8, 0);
  try {
    for (const rule of rules) addRule(ruleset, rule, handled);
    return ruleset;
  } catch (error) {
    closeSync(ruleset);
    throw error;
  }
}

function addRule(ruleset: number, { path, rights, isOptional }: PathRule, handled: number): void {
  const name = Buffer.from(`${path}\0`);
  const fd = trySyscall(NR.openat, AT_FDCWD, name, O_PATH_CLOEXEC, 0);
  if (fd === -ENOENT && isOptional) return;
  const purpose = `${PURPOSE}: "${path}"`;
  if (fd < 0) throw syscallError('openat', -fd, purpose);
  try {
    const allowed = rights & handled & (fstatSync(fd).isDirectory() ? -1 : RIGHTS_OF_FILES);
    // struct landlock_path_beneath_attr, packed: u64 allowed_access, s32 parent_fd.
    const attributes = Buffer.alloc(12);
    attributes.writeBigUInt64LE(BigInt(allowed));
    attributes.writeInt32LE(fd, 8);
    const type = LANDLOCK_RULE_PATH_BENEATH;
    mustSyscall('landlock_add_rule', purpose, NR.landlock_add_rule, ruleset, type, attributes, 0);
  } finally {
    closeSync(fd);
  }
}

/**
 * Restricts the calling thread, or with LANDLOCK_RESTRICT_SELF_TSYNC all threads, which have no_new_privs; for ever.
 *
 * @throws {SyscallError} refused, or an outer filter answers in the kernel's place
 */
export function restrictSelf(ruleset: number, flags: number): void {
  mustSyscall('landlock_restrict_self', PURPOSE, NR.landlock_restrict_self, ruleset, flags);
  if (trySyscall(NR.landlock_restrict_self, -1, 0) === -EBADF) return;
  const problem = 'an outer filter answers landlock_restrict_self in the place of the kernel';
  throw new SyscallError('landlock_restrict_self', EPERM, `Cannot ${PURPOSE}: ${problem}`);
}
