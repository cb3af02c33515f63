import { PROBE_ARGUMENT, PROBE_ERRNO, PROBE_OPERATION } from '../../facts/seccomp.ts';
import { type Assembler, at } from '../asm-x86-64.ts';
import { RULE } from '../paths-table.ts';
import type { LauncherParts } from '../payload.ts';
import { emitProgram } from '../static-file.ts';
import { NOT_YET } from './answerer-state.ts';
import { askForAnswerer, emitAnswerer, startAnswerer } from './answerer-x86-64.ts';
import { restrictPaths } from './landlock-x86-64.ts';
import { LANDLOCK_TEXTS, LAUNCHER_TEXTS, USAGE } from './launcher-texts.ts';
import { call, loadEnvironment, staticElf } from './static-x86-64.ts';
import { emitTracer, startTracer } from './tracer-x86-64.ts';

/**
 * The launcher that stands alone: `LAUNCHER COMMAND ARGUMENT...` confines its process and becomes the command, which it looks for as execvp(3) does.
 * What it was given (signals, mask, descriptors, environment, process id) the command gets. Where `start:` is in force until the program's
 * entry only, a thread of it answers the calls of `start:`; see answerer-x86-64.ts. Every failure ends in exit_group, or in a fault.
 *
 * All parts share one stack. From its initial rsp down:
 *
 *     here execve(2) put argc, argv, envp      r14 = argv, r15 = envp
 *     rbp                  state and buffers, 64 KiB; see the offsets here and in answerer-x86-64.ts
 *     rbp - 0x6000 down    this thread's stack; those of the others lie between
 */
const ROOM = 0x1_0000;
const OWN_STACK = 0x6000;
const LISTENER = at('rbp', 0);
const PATH_BUFFER = 0x2000;
const PATH_SIZE = 0x1000;

const SECCOMP_SET_MODE_FILTER = 1;
const FLAG_NEW_LISTENER = 8;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
const STDERR = 2;
const OWN_FAILURE = 125;

/** Filters for the way by ptrace; see tracer-x86-64.ts. */
export interface Injection {
  /** In force until the entry: permits `start:` and the installation of the second; answers the probe call. */
  readonly first: Uint8Array;
  /** Installed at the entry; answers the probe call as a second program does. */
  readonly second: Uint8Array;
  /** Also where somebody may listen. */
  readonly always: boolean;
}

/**
 * Generates the launcher.
 *
 * @param injection - the way to take where there can be no listener
 * @returns a static ELF file for x86-64 that carries the notes
 */
export function ownLauncherX8664(
  { program, form, paths }: LauncherParts,
  notes?: Uint8Array,
  injection?: Injection,
): Uint8Array {
  const isAnswered = form !== 'simple' && injection?.always !== true;
  return staticElf((code, addressOf) => {
    begin(code);
    setPrivileges(code);
    if (isAnswered) startAnswerer(code, form === 'loader');
    // This thread alone: the answerer needs files that the command must not have, and ends by its exec.
    if (paths) restrictToPaths(code);
    if (isAnswered || !injection) installFilter(code, 'fprog', isAnswered, injection ? 'inject' : 'failed');
    if (isAnswered) askForAnswerer(code);
    if (isAnswered && injection) code.jmp('execute');
    if (injection) installInjection(code, isAnswered);
    execute(code);
    if (isAnswered) emitAnswerer(code, form === 'loader');
    if (injection) emitTracer(code, injection.second);
    emitFailures(code);
    emitComplain(code);
    emitTexts(code);
    if (paths) emitPaths(code, paths);
    emitProgram(code, program, addressOf);
    if (injection) emitProgram(code, injection.first, addressOf, 'fprogFirst');
  }, notes);
}

/** Says why it is this way where that was not asked for. The answerer waits for a listener in vain, until the exec ends it. */
function installInjection(code: Assembler, isSaid: boolean): void {
  if (isSaid) {
    code.label('inject').mov('r13', 'rax').neg('r13').xor('r12d', 'r12d').lea('rsi', 'noListenerText').call('complain');
  }
  startTracer(code);
  installFilter(code, 'fprogFirst', false, 'failed');
}

function begin(code: Assembler): void {
  code.endbr64();
  loadEnvironment(code);
  code.mov('rax', at('rsp')).lea('r14', at('rsp', 8)).cmp('rax', 2).jcc('l', 'usage');
  code.sub('rsp', ROOM).and('rsp', -64).mov('rbp', 'rsp').sub('rsp', OWN_STACK).mov(LISTENER, NOT_YET);
}

/** Sets no_new_privs and asks for it: an outer filter that answers 0 for the whole of prctl(2) is found out. */
function setPrivileges(code: Assembler): void {
  code.lea('rbx', 'privilegesText').mov('edi', PR_SET_NO_NEW_PRIVS).mov('esi', 1);
  prctl(code).test('rax', 'rax').jcc('ne', 'failed');
  code.mov('edi', PR_GET_NO_NEW_PRIVS).xor('esi', 'esi');
  prctl(code).cmp('rax', 1).jcc('ne', 'failed');
}

function prctl(code: Assembler): Assembler {
  return call(code.xor('edx', 'edx').xor('r10d', 'r10d').xor('r8d', 'r8d'), 'prctl');
}

function restrictToPaths(code: Assembler): void {
  code.lea('r12', 'paths');
  restrictPaths(code, { step: (step) => code.lea('rbx', step), failed: 'failed', failedPath: 'failedPath' });
}

function emitPaths(code: Assembler, paths: Uint8Array): void {
  code.label('failedPath').mov('r13', 'rax').neg('r13').lea('rsi', 'path').add('r12', RULE.path).call('complain');
  code.jmp('leaveOwn');
  for (const [label, text] of Object.entries(LANDLOCK_TEXTS)) code.label(label).text(`${text}\0`);
  code.align(8).label('paths').data(paths);
}

/** Installs a filter on this thread alone, proves it by the probe call, and shows the listener to the answerer. */
function installFilter(code: Assembler, program: string, isAnswered: boolean, refused: string): void {
  code.lea('rbx', 'filterText').mov('edi', SECCOMP_SET_MODE_FILTER).lea('rdx', program);
  call(code.mov('esi', isAnswered ? FLAG_NEW_LISTENER : 0), 'seccomp').test('rax', 'rax');
  code.jcc(isAnswered ? 's' : 'ne', refused).mov('r12', 'rax');
  code.lea('rbx', 'proofText').mov('edi', PROBE_OPERATION).mov('esi', PROBE_ARGUMENT).xor('edx', 'edx');
  call(code, 'seccomp').cmp('rax', -PROBE_ERRNO).jcc('ne', 'failed');
  if (isAnswered) code.mov(LISTENER, 'r12');
}

/** Becomes the command argv[1]; r13 is the errno that counts, as execvp(3) has it. */
function execute(code: Assembler): void {
  code.label('execute').xor('r13d', 'r13d').mov('rdi', at('r14', 8)).mov('rsi', 'rdi');
  // A word with a slash is a path; an empty one is no file.
  code.cmpByte(at('rdi'), 0).jcc('e', 'asPath');
  code.label('findSlash').movzxByte('eax', at('rsi')).inc('rsi').cmp('eax', 0x2f).jcc('e', 'asPath');
  code.test('eax', 'eax').jcc('ne', 'findSlash').jmp('search');
  code.label('asPath').call('tryOne').jmp('cannotRun');
  findPath(code);
  searchPath(code);
  tryOne(code);
}

/** rbx = the value of PATH, or what execvp(3) takes without one: confstr(_CS_PATH). */
function findPath(code: Assembler): void {
  const PATH = 0x4854_4150;
  code.label('search').lea('rbx', 'defaultPath').mov('rsi', 'r15');
  code.label('nextVariable').mov('rdi', at('rsi')).test('rdi', 'rdi').jcc('e', 'nextFolder').add('rsi', 8);
  code.cmp32(at('rdi'), PATH).jcc('ne', 'nextVariable').cmpByte(at('rdi', 4), 0x3d).jcc('ne', 'nextVariable');
  code.lea('rbx', at('rdi', 5));
}

/** Tries FOLDER/WORD for every folder of rbx, WORD alone where it is empty. Folders that do not fit are left out. */
function searchPath(code: Assembler): void {
  code
    .label('nextFolder')
    .lea('rdi', at('rbp', PATH_BUFFER))
    .lea('rdx', at('rbp', PATH_BUFFER + PATH_SIZE - 2));
  code.label('folderByte').movzxByte('eax', at('rbx')).test('eax', 'eax').jcc('e', 'folderEnd');
  code.inc('rbx').cmp('eax', 0x3a).jcc('e', 'folderEnd').cmp('rdi', 'rdx').jcc('ae', 'folderByte');
  code.movByte(at('rdi'), 'al').inc('rdi').jmp('folderByte');
  // eax: 0 where this is the last folder.
  code.label('folderEnd').push('rax').lea('rcx', at('rbp', PATH_BUFFER)).cmp('rdi', 'rcx').jcc('e', 'word');
  code.movByte(at('rdi'), 0x2f).inc('rdi').label('word').mov('rsi', at('r14', 8));
  code.label('wordByte').cmp('rdi', 'rdx').jcc('a', 'skipFolder').movzxByte('eax', at('rsi')).movByte(at('rdi'), 'al');
  code.inc('rsi').inc('rdi').test('eax', 'eax').jcc('ne', 'wordByte');
  code.lea('rdi', at('rbp', PATH_BUFFER)).call('tryOne');
  code.label('skipFolder').pop('rax').test('eax', 'eax').jcc('ne', 'nextFolder').jmp('cannotRun');
}

/** Executes rdi; comes back where another folder may have it. A script without `#!` is the shell's. */
function tryOne(code: Assembler): void {
  const [ENOENT, ENOEXEC, EACCES, ENOTDIR] = [2, 8, 13, 20];
  code.label('tryOne').push('rdi').lea('rsi', at('r14', 8)).mov('rdx', 'r15');
  call(code, 'execve').pop('rdi').neg('rax').cmp('rax', ENOEXEC).jcc('e', 'shell');
  code.cmp('r13', EACCES).jcc('e', 'keepErrno').mov('r13', 'rax').label('keepErrno');
  for (const errno of [ENOENT, EACCES, ENOTDIR]) code.cmp('rax', errno).jcc('e', 'tryNext');
  code.mov('r13', 'rax').jmp('cannotRun').label('tryNext').ret();
  code.label('shell').mov(at('r14', 8), 'rdi').lea('rdi', 'shellPath').mov(at('r14'), 'rdi');
  code.mov('rsi', 'r14').mov('rdx', 'r15');
  call(code, 'execve').mov('r13', 'rax').neg('r13').jmp('cannotRun');
}

/** 125 for what is ours, 127 where the command does not exist, 126 where it cannot be executed, as env(1). */
function emitFailures(code: Assembler): void {
  const ENOENT = 2;
  code.label('cannotRun').lea('rsi', 'runText').mov('r12', at('r14', 8)).call('complain').mov('edi', 126);
  code.cmp('r13', ENOENT).jcc('ne', 'leave').inc('edi').jmp('leave');
  code.label('usage').mov('edi', STDERR).lea('rsi', 'usageText').lea('rdx', 'usageEnd').sub('rdx', 'rsi');
  call(code, 'write').jmp('leaveOwn');
  code.label('failed').mov('r13', 'rax').mov('rsi', 'rbx').neg('r13').jcc('ns', 'isErrno').neg('r13').label('isErrno');
  code.xor('r12d', 'r12d').call('complain').label('leaveOwn').mov('edi', OWN_FAILURE);
  // Not exit(2) where exit_group(2) is refused: other threads would stay. The fault ends them all.
  code.label('leave');
  call(code, 'exit_group').label('dead').hlt().jmp('dead');
}

/** Writes one line: the text at rsi, the word at r12 and a quote unless it is 0, and the number in r13. */
function emitComplain(code: Assembler): void {
  code.label('complain').sub('rsp', 0x1000).mov('rdi', 'rsp').call('append').test('r12', 'r12').jcc('e', 'unquoted');
  code.mov('rsi', 'r12').call('append').movByte(at('rdi'), 0x27).inc('rdi');
  code.label('unquoted').lea('rsi', 'errnoText').call('append');
  code.lea('rsi', at('rsp', 0xfff)).movByte(at('rsi'), 0).mov('rax', 'r13').mov('ecx', 10);
  code.label('digit').xor('edx', 'edx').div('rcx').add('edx', 0x30).dec('rsi').movByte(at('rsi'), 'dl');
  code.test('rax', 'rax').jcc('ne', 'digit').call('append').movByte(at('rdi'), 10).inc('rdi');
  code.mov('rdx', 'rdi').sub('rdx', 'rsp').mov('rsi', 'rsp').mov('edi', STDERR);
  call(code, 'write').add('rsp', 0x1000).ret();
  // At most 1,000 bytes of each text.
  code.label('append').mov('ecx', 1000).label('appendByte').movzxByte('eax', at('rsi')).test('eax', 'eax');
  code.jcc('e', 'appended').dec('ecx').jcc('e', 'appended').movByte(at('rdi'), 'al').inc('rsi').inc('rdi');
  code.jmp('appendByte').label('appended').ret();
}

function emitTexts(code: Assembler): void {
  for (const [label, text] of Object.entries(LAUNCHER_TEXTS)) code.label(label).text(`${text}\0`);
  code.label('usageText').text(USAGE).label('usageEnd');
}
