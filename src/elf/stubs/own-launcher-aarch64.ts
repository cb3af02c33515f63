import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION } from '../../facts/seccomp.ts';
import { type AssemblerA64, at64 } from '../asm-aarch64.ts';
import { RULE } from '../paths-table.ts';
import type { LauncherParts } from '../payload.ts';
import { askForAnswerer, emitAnswerer, startAnswerer } from './answerer-aarch64.ts';
import { NOT_YET } from './answerer-state.ts';
import { restrictPaths } from './landlock-aarch64.ts';
import { LANDLOCK_TEXTS, LAUNCHER_TEXTS, USAGE } from './launcher-texts.ts';
import { callAarch64 as call, staticElfAarch64 } from './static-aarch64.ts';

/**
 * The launcher that stands alone, for AArch64: own-launcher-x86-64.ts says what it does. x27 = argv, x28 = envp, x29 = state and buffers; x26 is the text of the
 * step that is being tried, x25 the errno or number to say. The stack is laid out as there.
 */
const ROOM = 0x1_0000;
const OWN_STACK = 0x6000;
const LISTENER = at64('x29');
const PATH_BUFFER = 0x2000;
const PATH_SIZE = 0x1000;

const SECCOMP_SET_MODE_FILTER = 1;
const FLAG_NEW_LISTENER = 8;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
const STDERR = 2;
const OWN_FAILURE = 125;

/** Generates the launcher. @returns a static ELF file for AArch64 that carries the notes */
export function ownLauncherAarch64({ program, form, paths }: LauncherParts, notes?: Uint8Array): Uint8Array {
  const isAnswered = form !== 'simple';
  return staticElfAarch64((code, addressOf) => {
    begin(code);
    setPrivileges(code);
    if (isAnswered) startAnswerer(code, form === 'loader');
    if (paths) restrictToPaths(code);
    installFilter(code, isAnswered);
    if (isAnswered) askForAnswerer(code);
    execute(code);
    if (isAnswered) emitAnswerer(code, form === 'loader');
    emitFailures(code);
    emitComplain(code);
    if (paths) emitPaths(code, paths);
    for (const [label, text] of Object.entries(LAUNCHER_TEXTS)) code.label(label).text(`${text}\0`);
    code.label('usageText').text(USAGE).label('usageEnd').align(8);
    // struct sock_fprog: u16 count | 6 bytes | pointer.
    code
      .label('fprog')
      .u64(BigInt(program.length / 8))
      .u64(addressOf('program'))
      .label('program')
      .data(program);
  }, notes);
}

/** envp stands behind argc, argv and a zero. The state's place is rounded down to 64 bytes. */
function begin(code: AssemblerA64): void {
  code
    .bti('jc')
    .ldr('x0', at64('sp'))
    .add('x27', 'sp', 8)
    .lsl('x1', 'x0', 3)
    .add('x28', 'x27', 'x1')
    .add('x28', 'x28', 8);
  code.cmp('x0', 2).bif('lt', 'usage').mov('x1', 'sp').sub('x1', 'x1', ROOM).lsr('x1', 'x1', 6).lsl('x29', 'x1', 6);
  code.sub('x1', 'x29', OWN_STACK).mov('sp', 'x1').mov('x1', NOT_YET).str('x1', LISTENER);
}

function setPrivileges(code: AssemblerA64): void {
  const prctl = (option: number, value: number): AssemblerA64 =>
    call(code.mov('x0', option).mov('x1', value).mov('x2', 0).mov('x3', 0).mov('x4', 0), 'prctl');
  code.adr('x26', 'privilegesText');
  prctl(PR_SET_NO_NEW_PRIVS, 1).cbnz('x0', 'failed');
  prctl(PR_GET_NO_NEW_PRIVS, 0).cmp('x0', 1).bif('ne', 'failed');
}

function restrictToPaths(code: AssemblerA64): void {
  code.adr('x10', 'paths');
  restrictPaths(code, { step: (step) => code.adr('x26', step), failed: 'failed', failedPath: 'failedPath' });
}

function emitPaths(code: AssemblerA64, paths: Uint8Array): void {
  code.label('failedPath').neg('x25', 'x0').adr('x2', 'path').add('x24', 'x10', RULE.path).bl('complain').b('leaveOwn');
  for (const [label, text] of Object.entries(LANDLOCK_TEXTS)) code.label(label).text(`${text}\0`);
  code.align(8).label('paths').data(paths);
}

function installFilter(code: AssemblerA64, isAnswered: boolean): void {
  code
    .adr('x26', 'filterText')
    .mov('x0', SECCOMP_SET_MODE_FILTER)
    .mov('x1', isAnswered ? FLAG_NEW_LISTENER : 0);
  call(code.adr('x2', 'fprog'), 'seccomp');
  if (isAnswered) code.tbnz('x0', 63, 'failed').mov('x20', 'x0');
  else code.cbnz('x0', 'failed');
  code.adr('x26', 'proofText').mov('x0', PROBE_OPERATION).mov('x1', PROBE_ARGUMENT).mov('x2', 0);
  call(code, 'seccomp').cmp('x0', -PROBE_ERRNO).bif('ne', 'failed');
  if (isAnswered) code.str('x20', LISTENER);
}

/** Becomes the command argv[1]; x25 is the errno that counts, as execvp(3) has it. x20: the file that is tried. */
function execute(code: AssemblerA64): void {
  const SLASH = 0x2f;
  code.mov('x25', 0).ldr('x20', at64('x27', 8)).mov('x1', 'x20').ldrb('w0', at64('x20')).cbz('w0', 'asPath');
  code
    .label('findSlash')
    .ldrbPost('w0', 'x1', 1)
    .cmp('w0', SLASH)
    .bif('eq', 'asPath')
    .cbnz('w0', 'findSlash')
    .b('search');
  code.label('asPath').bl('tryOne').b('cannotRun');
  findPath(code);
  searchPath(code);
  tryOne(code);
}

/** x21 = the value of PATH, or what execvp(3) takes without one. */
function findPath(code: AssemblerA64): void {
  code.label('search').adr('x21', 'defaultPath').mov('x1', 'x28');
  code.label('nextVariable').ldr('x2', at64('x1')).cbz('x2', 'nextFolder').add('x1', 'x1', 8);
  for (const letter of 'PATH=') code.ldrbPost('w0', 'x2', 1).cmp('w0', letter.charCodeAt(0)).bif('ne', 'nextVariable');
  code.mov('x21', 'x2');
}

function searchPath(code: AssemblerA64): void {
  const [SLASH, COLON] = [0x2f, 0x3a];
  code
    .label('nextFolder')
    .add('x20', 'x29', PATH_BUFFER)
    .mov('x1', 'x20')
    .add('x2', 'x20', PATH_SIZE)
    .sub('x2', 'x2', 2);
  code.label('folderByte').ldrb('w22', at64('x21')).cbz('w22', 'folderEnd').add('x21', 'x21', 1);
  code
    .cmp('w22', COLON)
    .bif('eq', 'folderEnd')
    .cmp('x1', 'x2')
    .bif('hs', 'folderByte')
    .strbPost('w22', 'x1', 1)
    .b('folderByte');
  // w22: 0 where this is the last folder.
  code.label('folderEnd').cmp('x1', 'x20').bif('eq', 'word').mov('w0', SLASH).strbPost('w0', 'x1', 1);
  code.label('word').ldr('x3', at64('x27', 8)).label('wordByte').cmp('x1', 'x2').bif('hi', 'skipFolder');
  code.ldrbPost('w0', 'x3', 1).strbPost('w0', 'x1', 1).cbnz('w0', 'wordByte').bl('tryOne');
  code.label('skipFolder').cbnz('w22', 'nextFolder').b('cannotRun');
}

/** Executes x20; comes back where another folder may have it. A script without `#!` is the shell's. */
function tryOne(code: AssemblerA64): void {
  const [ENOENT, ENOEXEC, EACCES, ENOTDIR] = [2, 8, 13, 20];
  code.label('tryOne').mov('x0', 'x20').add('x1', 'x27', 8).mov('x2', 'x28');
  call(code, 'execve').neg('x0', 'x0').cmp('x0', ENOEXEC).bif('eq', 'shell');
  code.cmp('x25', EACCES).bif('eq', 'keepErrno').mov('x25', 'x0').label('keepErrno');
  for (const errno of [ENOENT, EACCES, ENOTDIR]) code.cmp('x0', errno).bif('eq', 'tryNext');
  code.mov('x25', 'x0').b('cannotRun').label('tryNext').ret();
  code.label('shell').str('x20', at64('x27', 8)).adr('x0', 'shellPath').str('x0', at64('x27'));
  code.mov('x1', 'x27').mov('x2', 'x28');
  call(code, 'execve').neg('x25', 'x0').b('cannotRun');
}

function emitFailures(code: AssemblerA64): void {
  const ENOENT = 2;
  code.label('cannotRun').adr('x2', 'runText').ldr('x24', at64('x27', 8)).bl('complain').mov('x0', 126);
  code.cmp('x25', ENOENT).bif('ne', 'leave').mov('x0', 127).b('leave');
  code.label('usage').mov('x0', STDERR).adr('x1', 'usageText').adr('x2', 'usageEnd').sub('x2', 'x2', 'x1');
  call(code, 'write').b('leaveOwn');
  code.label('failed').mov('x25', 'x0').tbnz('x0', 63, 'isErrno').b('isNumber').label('isErrno').neg('x25', 'x25');
  code.label('isNumber').mov('x2', 'x26').mov('x24', 0).bl('complain').label('leaveOwn').mov('x0', OWN_FAILURE);
  // Not exit(2) where exit_group(2) is refused: other threads would stay. The fault ends them all.
  code.label('leave');
  call(code, 'exit_group').label('dead').udf().b('dead');
}

/** Writes one line: the text at x2, the word at x24 and a quote unless it is 0, and the number in x25. */
function emitComplain(code: AssemblerA64): void {
  const QUOTE = 0x27;
  code.label('complain').mov('x23', 'x30').sub('sp', 'sp', 0x1000).mov('x1', 'sp').bl('append').cbz('x24', 'unquoted');
  code
    .mov('x2', 'x24')
    .bl('append')
    .mov('w3', QUOTE)
    .strbPost('w3', 'x1', 1)
    .label('unquoted')
    .adr('x2', 'errnoText')
    .bl('append');
  code
    .add('x2', 'sp', 0xfff)
    .strb('wzr', at64('x2'))
    .mov('x6', 'x25')
    .mov('x3', 10)
    .label('digit')
    .udiv('x4', 'x6', 'x3');
  code.msub('x5', 'x4', 'x3', 'x6').add('w5', 'w5', 0x30).strbPre('w5', 'x2', -1).mov('x6', 'x4').cbnz('x6', 'digit');
  code.bl('append').mov('w3', 10).strbPost('w3', 'x1', 1).mov('x3', 'sp').sub('x2', 'x1', 'x3').mov('x1', 'sp');
  call(code.mov('x0', STDERR), 'write').add('sp', 'sp', 0x1000).mov('x30', 'x23').ret();
  // At most 1,000 bytes of each text.
  code.label('append').mov('x4', 1000).label('appendByte').ldrbPost('w3', 'x2', 1).cbz('w3', 'appended');
  code.sub('x4', 'x4', 1).cbz('x4', 'appended').strbPost('w3', 'x1', 1).b('appendByte').label('appended').ret();
}
