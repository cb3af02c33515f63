import {
  HANDLED_BY_ABI,
  LANDLOCK_CREATE_RULESET_VERSION,
  LANDLOCK_RULE_PATH_BENEATH,
  RIGHTS_OF_FILES,
} from '../../facts/landlock.ts';
import { type Assembler, at } from '../asm-x86-64.ts';
import { RULE, TABLE } from '../paths-table.ts';
import { AT_FDCWD } from './answerer-state.ts';
import { EBADF, ENOENT, EOPNOTSUPP, type LandlockHost, O_PATH_CLOEXEC, S_IFDIR, S_IFMT } from './landlock.ts';
import { call } from './static-x86-64.ts';

// Below rsp: struct landlock_ruleset_attr (its first member), the ruleset, struct landlock_path_beneath_attr (u64, s32), struct stat.
const HANDLED = at('rsp', 0);
const RULESET = at('rsp', 8);
const ALLOWED = at('rsp', 16);
const PARENT = at('rsp', 24);
const STAT = 32;
/** struct stat of x86-64 has 144 bytes: arch/x86/include/uapi/asm/stat.h. */
const MODE = at('rsp', STAT + 24);
const FRAME = STAT + 144 + 16;

/** Restricts the calling thread; landlock.ts says how. r12 = a rule, r13 = the rights that the kernel handles; both and caller-saved registers are clobbered. */
export function restrictPaths(code: Assembler, host: LandlockHost): void {
  host.step('landlock');
  code.xor('edi', 'edi').xor('esi', 'esi').mov('edx', LANDLOCK_CREATE_RULESET_VERSION);
  call(code, 'landlock_create_ruleset').test('rax', 'rax').jcc('s', host.failed);
  chooseRights(code, host);
  host.step('landlock');
  code.sub('rsp', FRAME).mov(HANDLED, 'r13').mov('rdi', 'rsp').mov('esi', 8).xor('edx', 'edx');
  call(code, 'landlock_create_ruleset').test('rax', 'rax').jcc('s', host.failed).mov(RULESET, 'rax');
  addRules(code, host);
  host.step('landlock');
  code.mov('rdi', RULESET).xor('esi', 'esi');
  call(code, 'landlock_restrict_self').test('rax', 'rax').jcc('ne', host.failed);
  host.step('landlockProof');
  code.mov('rdi', -1).xor('esi', 'esi');
  call(code, 'landlock_restrict_self').cmp('rax', -EBADF).jcc('ne', host.failed);
  code.mov('rdi', RULESET);
  call(code, 'close').test('rax', 'rax').jcc('ne', host.failed).add('rsp', FRAME);
}

/** rax = the kernel's ABI. */
function chooseRights(code: Assembler, host: LandlockHost): void {
  host.step('landlockAbi');
  code.mov('ecx', at('r12', TABLE.abi)).cmp('rax', 'rcx').jcc('ae', 'abiSuffices');
  code.mov('rax', -EOPNOTSUPP).jmp(host.failed).label('abiSuffices');
  for (const { abi, rights } of HANDLED_BY_ABI) code.cmp('rax', abi).jcc('b', 'rightsChosen').mov('r13d', rights);
  code.label('rightsChosen');
}

function addRules(code: Assembler, host: LandlockHost): void {
  host.step('openProof');
  open(code, TABLE.emptyPath).cmp('rax', -ENOENT).jcc('ne', host.failed);
  code.add('r12', TABLE.rules);
  code.label('nextRule').cmp32(at('r12', RULE.size), 0).jcc('e', 'rulesDone');
  open(code, RULE.path).test('rax', 'rax').jcc('ns', 'pathOpened').cmp('rax', -ENOENT).jcc('ne', host.failedPath);
  code.cmp32(at('r12', RULE.isOptional), 0).jcc('e', host.failedPath).jmp('ruleDone').label('pathOpened');
  // No directory, and so with fewer rights, where somebody else answers in the kernel's place.
  code.mov(PARENT, 'eax').mov32(MODE, 0).mov('edi', 'eax').lea('rsi', at('rsp', STAT));
  call(code, 'fstat').test('rax', 'rax').jcc('ne', host.failedPath);
  code.mov('rax', at('r12', RULE.rights)).and('rax', 'r13').mov('ecx', MODE).and('ecx', S_IFMT).cmp('ecx', S_IFDIR);
  code.jcc('e', 'isFolder').and('eax', RIGHTS_OF_FILES).label('isFolder').mov(ALLOWED, 'rax');
  code.mov('rdi', RULESET).mov('esi', LANDLOCK_RULE_PATH_BENEATH).lea('rdx', ALLOWED).xor('r10d', 'r10d');
  call(code, 'landlock_add_rule').test('rax', 'rax').jcc('ne', host.failedPath).mov('edi', PARENT);
  call(code, 'close').test('rax', 'rax').jcc('ne', host.failedPath);
  code.label('ruleDone').mov('eax', at('r12', RULE.size)).add('r12', 'rax').jmp('nextRule').label('rulesDone');
}

function open(code: Assembler, path: number): Assembler {
  code.mov('rdi', AT_FDCWD).lea('rsi', at('r12', path)).mov('edx', O_PATH_CLOEXEC).xor('r10d', 'r10d');
  return call(code, 'openat');
}
