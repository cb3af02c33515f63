import {
  PROBE_ARGUMENT,
  PROBE_OPERATION,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_SET_MODE_FILTER,
  SERVICE_PROBE_ERRNO,
} from '../../facts/seccomp.ts';
import { type Assembler, at } from '../asm-x86-64.ts';
import { CLONE_VFORK, CLONE_VM, EINTR, NOT_YET, STATE, WALL } from './answerer-state.ts';
import { clone } from './answerer-x86-64.ts';
import { call, NR } from './static-x86-64.ts';

/**
 * The *tracer*: what ends `start:` where nobody may listen. A process of no process's children follows the launcher by ptrace(2) through its
 * exec and, from call to call, through ld.so, until the program's entry. There it lets the program install a second filter, asks it by the
 * probe call, puts back what was there, and goes. What the first filter permits is `start:` too, and that one installation.
 *
 * The entry is known by two bytes planted there, a call: no signal is involved, and a tracer is told of a call before any filter is. The
 * program's registers are as they were but rcx and r11, which are 0, as at a static program's start; text is as it was; below the stack pointer,
 * where nothing is kept at an entry, the filter stays. Whatever fails ends the tracer, and the kernel ends the program with it (PTRACE_O_EXITKILL).
 *
 * r14 = the launcher's pid; r12 = the entry, 0 before the exec; r13 = the signal to hand on.
 */

/** Offsets in the launcher's state, behind those of the answerer. */
const TRACER = {
  pid: 0x800,
  /** Zeroed by the kernel at its end. */
  alive: 0x808,
  /** It may begin: the launcher has told Yama. */
  go: 0x810,
  /** 0 or -errno, PENDING before. */
  seized: 0x818,
  status: 0x820,
  word: 0x828,
  saved: 0x830,
  mask: 0x838,
  allSignals: 0x840,
  registers: 0x880,
  kept: 0x980,
} as const;
const PENDING = 1;
const state = (name: keyof typeof TRACER) => at('rbp', TRACER[name]);

/** struct user_regs_struct: arch/x86/include/asm/user_64.h. */
const USER = {
  r11: 48,
  rax: 80,
  rcx: 88,
  rdx: 96,
  rsi: 104,
  rdi: 112,
  origRax: 120,
  rip: 128,
  rsp: 152,
  size: 216,
} as const;
const register = (name: Exclude<keyof typeof USER, 'size'>, area: 'registers' | 'kept' = 'registers') =>
  at('rbp', TRACER[area] + USER[name]);

/** include/uapi/linux/ptrace.h */
const PTRACE = {
  peek: 2,
  poke: 5,
  getRegisters: 12,
  setRegisters: 13,
  detach: 17,
  syscall: 24,
  seize: 0x4206,
  interrupt: 0x4207,
  listen: 0x4208,
  getMask: 0x420a,
  setMask: 0x420b,
} as const;
/** PTRACE_O_TRACESYSGOOD, TRACEEXEC, EXITKILL. */
const OPTIONS = 1 | 0x10 | 0x10_0000;
const [ESRCH, SIGTRAP, EVENT_EXEC, EVENT_STOP] = [3, 5, 4, 128];
const AT_ENTRY = 9;
const PR_SET_PTRACER = 0x5961_6d61;
const SIZE_OF_CALL = 2;
const CALL_BYTES = 0x050f;
/** Below the stack pointer: more than the red zone. */
const MARGIN = 0x200;

/** Starts the tracer, and goes on when this process is traced. Goes to `failed` where it cannot be. */
export function startTracer(code: Assembler): void {
  code.lea('rbx', 'tracerText').mov(state('go'), 0).mov(state('seized'), PENDING).mov(state('alive'), 1);
  code.mov(state('allSignals'), -1).mov(at('rbp', STATE.follower), NOT_YET);
  call(code, 'getpid').mov(state('pid'), 'rax');
  clone(code, CLONE_VM | CLONE_VFORK, STATE.childStack, 'tracerParent', 'failed');
  code.mov('r13', 'rax').label('reapParent').mov('rdi', 'r13').xor('esi', 'esi').mov('edx', WALL).xor('r10d', 'r10d');
  call(code, 'wait4').cmp('rax', -EINTR).jcc('e', 'reapParent');
  code.mov('rax', at('rbp', STATE.follower)).test('rax', 'rax').jcc('s', 'failed');
  code.mov('edi', PR_SET_PTRACER).mov('rsi', 'rax').xor('edx', 'edx').xor('r10d', 'r10d').xor('r8d', 'r8d');
  call(code, 'prctl').mov(state('go'), 1);
  code.label('untilSeized').mov('rax', state('seized')).cmp('rax', PENDING).jcc('ne', 'seizedOrNot');
  code.mov('rax', -ESRCH).cmp32(state('alive'), 0).jcc('e', 'failed');
  call(code, 'sched_yield').jmp('untilSeized');
  code.label('seizedOrNot').test('rax', 'rax').jcc('ne', 'failed');
}

/** The code of the tracer; `program` is the second filter's, at the label `programSecond`. */
export function emitTracer(code: Assembler, program: Uint8Array): void {
  const CLONE_CHILD_CLEARTID = 0x20_0000;
  code.label('tracerParent');
  clone(code, CLONE_VM | CLONE_CHILD_CLEARTID, STATE.followerStack, 'tracer', 'tracerGone', TRACER.alive);
  code.mov(at('rbp', STATE.follower), 'rax').label('tracerGone').xor('edi', 'edi');
  call(code, 'exit_group').label('tracerDead').hlt().jmp('tracerDead');
  seize(code);
  follow(code);
  plant(code);
  inject(code, program.length / 8);
  emitStep(code);
  emitRequests(code);
  code.label('tracerFailed').cmp('rax', -ESRCH).jcc('e', 'tracerGone');
  code.mov('r13', 'rax').lea('rsi', 'injectText').neg('r13').jcc('ns', 'tracerErrno').neg('r13').label('tracerErrno');
  code.xor('r12d', 'r12d').call('complain').jmp('tracerGone');
  code
    .label('tracerText')
    .text(
      'selkie: cannot confine: this process cannot be traced to the entry of the command: --simple needs no tracing\0',
    );
  code.label('injectText').text('selkie: ended the command: the filter cannot be installed at its entry\0');
  code.align(8).label('programSecond').data(program);
}

/** Nothing that the terminal sends shall end it. An outer filter that answers 0 to ptrace(2) is found out, as nothing stops then. */
function seize(code: Assembler): void {
  code.label('tracer').mov('r14', state('pid')).xor('edi', 'edi').lea('rsi', state('allSignals')).xor('edx', 'edx');
  call(code.mov('r10d', 8), 'rt_sigprocmask').test('rax', 'rax').jcc('ne', 'notSeized');
  code.label('untilGo').cmp(state('go'), 0).jcc('ne', 'maySeize');
  // Where the launcher has ended it never comes.
  call(code.mov('rdi', 'r14').xor('esi', 'esi'), 'kill').cmp('rax', -ESRCH).jcc('e', 'tracerGone').jmp('untilGo');
  code.label('maySeize');
  code.mov('r10d', OPTIONS).xor('edx', 'edx');
  request(code, 'seize').test('rax', 'rax').jcc('ne', 'notSeized');
  request(code.xor('r10d', 'r10d'), 'interrupt').test('rax', 'rax').jcc('ne', 'notSeized');
  code.call('wait').cmp('rax', 'r14').jcc('e', 'isSeized');
  code.label('notSeized').test('rax', 'rax').jcc('s', 'sayNotSeized').mov('rax', -ESRCH);
  code.label('sayNotSeized').mov(state('seized'), 'rax').jmp('tracerGone').label('isSeized').mov(state('seized'), 0);
}

/** From stop to stop; a second exec before the entry, by a library, begins anew. */
function follow(code: Assembler): void {
  code.xor('r12d', 'r12d').call('stopped');
  code.label('atStop').test('eax', 'eax').jcc('ne', 'atExec').call('getRegisters');
  code.mov('rax', register('rip')).sub('rax', 'r12').cmp('rax', SIZE_OF_CALL).jcc('e', 'atEntryCall');
  code.label('traceOn').xor('r13d', 'r13d').call('step').jmp('atStop');
}

/** r12 = AT_ENTRY of the vector behind argc, argv and envp on the new stack; a call is planted there. */
function plant(code: Assembler): void {
  code.label('atExec').call('getRegisters').mov('r15', register('rsp')).mov('rdx', 'r15').call('peek').shl('rax', 3);
  code.add('r15', 'rax').add('r15', 16);
  code
    .label('skipEnvironment')
    .mov('rdx', 'r15')
    .call('peek')
    .add('r15', 8)
    .test('rax', 'rax')
    .jcc('ne', 'skipEnvironment');
  code.label('nextOfVector').mov('rdx', 'r15').call('peek').cmp('rax', AT_ENTRY).jcc('e', 'entryFound');
  code.test('rax', 'rax').jcc('e', 'tracerFailed').add('r15', 16).jmp('nextOfVector');
  code.label('entryFound').lea('rdx', at('r15', 8)).call('peek').mov('r12', 'rax');
  code.mov('rdx', 'r12').call('peek').mov(state('saved'), 'rax').mov16(state('word'), CALL_BYTES);
  // An outer filter that answers 0 in the kernel's place is found out here too.
  code.mov('rdx', 'r12').mov('r10', state('word')).call('poke').mov('r15', 'r10').mov('rdx', 'r12').call('peek');
  code.cmp('rax', 'r15').jcc('ne', 'tracerFailed').jmp('traceOn');
}

/** At the planted call, before the kernel makes it: the installation is made in its place, then the probe call by the same instruction. */
function inject(code: Assembler, count: number): void {
  const copy = (from: number, to: number): Assembler =>
    code.lea('rsi', at('rbp', from)).lea('rdi', at('rbp', to)).mov('ecx', USER.size).cld().repMovsb();
  code.label('atEntryCall');
  copy(TRACER.registers, TRACER.kept);
  signalMask(code, 'getMask', 'mask');
  signalMask(code, 'setMask', 'allSignals');
  // r15 = where the program goes, with its struct sock_fprog in the 16 bytes below.
  code
    .mov('r15', register('rsp'))
    .sub('r15', MARGIN + 8 * count)
    .and('r15', -16);
  code.lea('rbx', 'programSecond').mov('r8', 'r15').mov('r9', count).label('copyNext').mov('r10', at('rbx'));
  code.mov('rdx', 'r8').call('poke').add('rbx', 8).add('r8', 8).dec('r9').jcc('ne', 'copyNext');
  code
    .lea('rdx', at('r15', -16))
    .mov('r10d', count)
    .call('poke')
    .lea('rdx', at('r15', -8))
    .mov('r10', 'r15')
    .call('poke');
  code.lea('rax', at('r15', -16)).mov(register('rdx'), 'rax').mov(register('rdi'), SECCOMP_SET_MODE_FILTER);
  code
    .mov(register('rsi'), SECCOMP_FILTER_FLAG_TSYNC)
    .mov(register('origRax'), NR.seccomp)
    .call('setRegisters')
    .call('stepCall');
  code.test('rax', 'rax').jcc('ne', 'tracerFailed');
  code
    .mov(register('rip'), 'r12')
    .mov(register('rax'), NR.seccomp)
    .mov(register('origRax'), -1)
    .mov(register('rdx'), 0);
  code.mov(register('rdi'), PROBE_OPERATION).mov(register('rsi'), PROBE_ARGUMENT).call('setRegisters');
  code.call('stepCall').call('stepCall').cmp('rax', -SERVICE_PROBE_ERRNO).jcc('ne', 'tracerFailed');
  code.mov('rdx', 'r12').mov('r10', state('saved')).call('poke');
  copy(TRACER.kept, TRACER.registers);
  code
    .mov('rax', register('origRax'))
    .mov(register('rax'), 'rax')
    .mov(register('origRax'), -1)
    .mov(register('rip'), 'r12');
  code.mov(register('rcx'), 0).mov(register('r11'), 0).call('setRegisters');
  signalMask(code, 'setMask', 'mask');
  request(code.xor('edx', 'edx').xor('r10d', 'r10d'), 'detach')
    .test('rax', 'rax')
    .jcc('ne', 'tracerFailed')
    .jmp('tracerGone');
}

function signalMask(code: Assembler, what: 'getMask' | 'setMask', where: 'mask' | 'allSignals'): void {
  request(code.mov('edx', 8).lea('r10', state(where)), what)
    .test('rax', 'rax')
    .jcc('ne', 'tracerFailed');
}

/**
 * Functions: step (lets it go on with the signal in r13, until `stopped` has an answer), stopped (what STATUS says: 0 in eax at a call's begin or
 * end, 1 after an exec; other stops are passed on), stepCall (the same where only a call can be; the call's result is in rax), wait.
 */
function emitStep(code: Assembler): void {
  code.label('step').xor('edx', 'edx').mov('r10', 'r13');
  // Where it was killed meanwhile its status tells.
  request(code, 'syscall')
    .label('resumed')
    .cmp('rax', -ESRCH)
    .jcc('e', 'waitStep')
    .test('rax', 'rax')
    .jcc('ne', 'tracerFailed');
  code.label('waitStep').call('wait').cmp('rax', 'r14').jcc('ne', 'tracerGone');
  code
    .label('stopped')
    .mov('eax', state('status'))
    .mov('ecx', 'eax')
    .and('ecx', 0xff)
    .cmp('ecx', 0x7f)
    .jcc('ne', 'tracerGone');
  code
    .shr('eax', 8)
    .cmp('eax', SIGTRAP | 0x80)
    .jcc('e', 'atCall')
    .cmp('eax', SIGTRAP | (EVENT_EXEC << 8))
    .jcc('e', 'executed');
  code.mov('r13d', 'eax').and('r13d', 0xff).shr('eax', 8).jcc('e', 'step').cmp('eax', EVENT_STOP).jcc('ne', 'noSignal');
  code.cmp('r13d', SIGTRAP).jcc('e', 'noSignal').xor('edx', 'edx').xor('r10d', 'r10d');
  // A stopped job stays stopped until it is continued.
  request(code, 'listen').jmp('resumed').label('noSignal').xor('r13d', 'r13d').jmp('step');
  code.label('atCall').xor('eax', 'eax').ret().label('executed').mov('eax', 1).ret();
  code
    .label('stepCall')
    .xor('r13d', 'r13d')
    .call('step')
    .test('eax', 'eax')
    .jcc('ne', 'tracerFailed')
    .call('getRegisters');
  code.mov('rax', register('rax')).ret();
  code.label('wait').mov('rdi', 'r14').lea('rsi', state('status')).mov('edx', WALL).xor('r10d', 'r10d');
  call(code, 'wait4').cmp('rax', -EINTR).jcc('e', 'wait').ret();
}

/** Functions: getRegisters, setRegisters, peek (of rdx, into rax and WORD), poke (r10 to rdx). All fail as one. */
function emitRequests(code: Assembler): void {
  const checked = (): Assembler => code.test('rax', 'rax').jcc('ne', 'tracerFailed');
  for (const name of ['getRegisters', 'setRegisters'] as const) {
    code.label(name).xor('edx', 'edx').lea('r10', state('registers'));
    request(code, name);
    checked().ret();
  }
  request(code.label('peek').lea('r10', state('word')), 'peek');
  checked().mov('rax', state('word')).ret();
  request(code.label('poke'), 'poke');
  checked().ret();
}

/** ptrace(2) on the launcher, with the address in rdx and the data in r10. */
function request(code: Assembler, name: keyof typeof PTRACE): Assembler {
  return call(code.mov('edi', PTRACE[name]).mov('rsi', 'r14'), 'ptrace');
}
