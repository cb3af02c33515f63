import {
  HANDLED_BY_ABI,
  LANDLOCK_CREATE_RULESET_VERSION,
  LANDLOCK_RULE_PATH_BENEATH,
  RIGHTS_OF_FILES,
} from '../../facts/landlock.ts';
import { type AssemblerA64, at64 } from '../asm-aarch64.ts';
import { RULE, TABLE } from '../paths-table.ts';
import { AT_FDCWD } from './answerer-state.ts';
import { EBADF, ENOENT, EOPNOTSUPP, type LandlockHost, O_PATH_CLOEXEC, S_IFDIR, S_IFMT } from './landlock.ts';
import { callAarch64 as call } from './static-aarch64.ts';

// From sp up: struct landlock_ruleset_attr (its first member), then struct landlock_path_beneath_attr (u64, s32), struct stat.
const HANDLED = at64('sp', 0);
const ALLOWED = at64('sp', 8);
const PARENT = at64('sp', 16);
const STAT = 32;
/** struct stat of AArch64 has 128 bytes: include/uapi/asm-generic/stat.h. */
const MODE = at64('sp', STAT + 16);
const FRAME = STAT + 128;

/** Restricts the calling thread; landlock.ts says how. x10 = a rule, x11 = the rights that the kernel handles, x12 = the ruleset; x0 to x4, x8, x10 to x13 are clobbered. */
export function restrictPaths(code: AssemblerA64, host: LandlockHost): void {
  host.step('landlock');
  code.mov('x0', 0).mov('x1', 0).mov('x2', LANDLOCK_CREATE_RULESET_VERSION);
  call(code, 'landlock_create_ruleset').tbnz('x0', 63, host.failed);
  chooseRights(code, host);
  host.step('landlock');
  code.sub('sp', 'sp', FRAME).str('x11', HANDLED).mov('x0', 'sp').mov('x1', 8).mov('x2', 0);
  call(code, 'landlock_create_ruleset').tbnz('x0', 63, host.failed).mov('x12', 'x0');
  addRules(code, host);
  host.step('landlock');
  call(code.mov('x0', 'x12').mov('x1', 0), 'landlock_restrict_self').cbnz('x0', host.failed);
  host.step('landlockProof');
  call(code.mov('x0', -1).mov('x1', 0), 'landlock_restrict_self').cmp('x0', -EBADF).bif('ne', host.failed);
  call(code.mov('x0', 'x12'), 'close').cbnz('x0', host.failed).add('sp', 'sp', FRAME);
}

/** x0 = the kernel's ABI. */
function chooseRights(code: AssemblerA64, host: LandlockHost): void {
  host.step('landlockAbi');
  code.ldr('w1', at64('x10', TABLE.abi)).cmp('x0', 'x1').bif('hs', 'abiSuffices').mov('x0', -EOPNOTSUPP).b(host.failed);
  code.label('abiSuffices');
  for (const { abi, rights } of HANDLED_BY_ABI) code.cmp('x0', abi).bif('lo', 'rightsChosen').mov('x11', rights);
  code.label('rightsChosen');
}

function addRules(code: AssemblerA64, host: LandlockHost): void {
  host.step('openProof');
  open(code, TABLE.emptyPath).cmp('x0', -ENOENT).bif('ne', host.failed).add('x10', 'x10', TABLE.rules);
  code.label('nextRule').ldr('w1', at64('x10', RULE.size)).cbz('w1', 'rulesDone');
  open(code, RULE.path).mov('x13', 'x0').tbnz('x0', 63, 'notOpened').b('pathOpened');
  code.label('notOpened').cmp('x0', -ENOENT).bif('ne', host.failedPath).ldr('w1', at64('x10', RULE.isOptional));
  code.cbz('w1', host.failedPath).b('ruleDone').label('pathOpened');
  // No directory, and so with fewer rights, where somebody else answers in the kernel's place.
  code.str('w13', PARENT).str('wzr', MODE).add('x1', 'sp', STAT);
  call(code, 'fstat').cbnz('x0', host.failedPath);
  code
    .ldr('x0', at64('x10', RULE.rights))
    .and('x0', 'x0', 'x11')
    .ldr('w1', MODE)
    .mov('w2', S_IFMT)
    .and('w1', 'w1', 'w2');
  code.mov('w2', S_IFDIR).cmp('w1', 'w2').bif('eq', 'isFolder').mov('x1', RIGHTS_OF_FILES).and('x0', 'x0', 'x1');
  code.label('isFolder').str('x0', ALLOWED).mov('x0', 'x12').mov('x1', LANDLOCK_RULE_PATH_BENEATH).add('x2', 'sp', 8);
  call(code.mov('x3', 0), 'landlock_add_rule').cbnz('x0', host.failedPath);
  call(code.mov('x0', 'x13'), 'close').cbnz('x0', host.failedPath);
  code.label('ruleDone').ldr('w1', at64('x10', RULE.size)).add('x10', 'x10', 'x1').b('nextRule').label('rulesDone');
}

function open(code: AssemblerA64, path: number): AssemblerA64 {
  return call(code.mov('x0', AT_FDCWD).add('x1', 'x10', path).mov('x2', O_PATH_CLOEXEC).mov('x3', 0), 'openat');
}
