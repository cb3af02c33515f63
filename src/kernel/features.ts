import { PROBE_ERRNO } from '../facts/seccomp.ts';
import type { View } from './look.ts';
import { type Command, NEEDED_CALLS } from './needed-calls.ts';
import type { Place } from './place.ts';
import { type Answers, type ProbeAnswer, refusalOf } from './prober.ts';
import { ACTIONS, FLAGS, type ProbeName, TIMED_CALLS, TIMED_INSTRUCTIONS } from './probes.ts';

/** What this kernel can do in this place, by its answers and never by its release. */

/** `unknown`: something (an outer filter, mostly) answered in the kernel's place, or only root could tell. */
export type Answer = 'yes' | 'no' | 'unknown';

export interface Feature {
  readonly group: 'filters' | 'actions' | 'flags' | 'notification' | 'processes' | 'privileges' | 'other';
  readonly name: string;
  readonly answer: Answer;
  /** Least kernel release that has it, where a release brought it. */
  readonly since: string | undefined;
  /** What was answered where it is not yes, or a number that belongs to it. */
  readonly detail: string | undefined;
}

const EFAULT = 14;
const EINVAL = 22;
const ENOTTY = 25;
const ENOSYS = 38;
const EOPNOTSUPP = 95;

/** Releases: seccomp(2), seccomp_unotify(2), and kernel/seccomp.c of the releases named. */
const SINCE: Readonly<Record<string, string>> = {
  kill_process: '4.14',
  log: '4.14',
  user_notif: '5.0',
  TSYNC: '3.17',
  LOG: '4.14',
  SPEC_ALLOW: '4.17',
  NEW_LISTENER: '5.0',
  TSYNC_ESRCH: '5.7',
  WAIT_KILLABLE_RECV: '5.19',
};

type Judgement = readonly [answer: Answer, detail?: string];

/** A result of 0 or more is yes; `yes` and `no` list errnos that mean so; all else is nobody's word. */
function judge(answer: ProbeAnswer, step: number, yes: readonly number[], no: readonly number[]): Judgement {
  const result = answer.results[step];
  const detail = refusalOf(answer, step);
  if (result === undefined) return ['unknown', detail];
  if (result >= 0 || yes.includes(-result)) return ['yes'];
  return [no.includes(-result) ? 'no' : 'unknown', detail];
}

/** Permitted here or not, whoever says so. */
const tried = (answer: ProbeAnswer, step: number): Judgement =>
  (answer.results[step] ?? -1) >= 0 ? ['yes'] : ['no', refusalOf(answer, step)];

/** The last step replaces the process: it went well where it has no result and the program ended with 0. */
function executed(answers: Answers<ProbeName>, name: ProbeName, before63: ProbeName): Judgement {
  const EXECUTION = 2;
  const now = answers.of(name);
  // MFD_EXEC came with 6.3.
  const answer = now.results[0] === -EINVAL ? answers.of(before63) : now;
  if (answer.results.length === EXECUTION && answer.code === 0) return ['yes'];
  if (answer.results.length === EXECUTION && answer.code !== undefined) return ['no', `exit status ${answer.code}`];
  const failed = answer.results.findIndex((result) => result < 0);
  return ['no', refusalOf(answer, failed < 0 ? EXECUTION : failed)];
}

/** Whether a program from memory can be executed; whether a command can be run confined. */
export const memoryExecution = (answers: Answers<ProbeName>): Judgement => executed(answers, 'memfd', 'memfdBefore63');
export const confinedExecution = (answers: Answers<ProbeName>): Judgement => executed(answers, 'run', 'runBefore63');

type Row = readonly [name: string, since: string | undefined, judgement: Judgement];

function filterRows(answers: Answers<ProbeName>): readonly Row[] {
  return [
    ['strict mode', '2.6.12', judge(answers.of('strict'), 0, [], [EINVAL])],
    ['filters', '3.5', tried(answers.of('filter'), 1)],
    ['by prctl', '3.5', tried(answers.of('filterByPrctl'), 1)],
    ['for all threads at once', '3.17', forAllThreads(answers.of('threads'))],
    ['in force when installed', undefined, inForce(answers.of('threads'))],
    ['without no_new_privs', undefined, tried(answers.of('filterByPrivilege'), 0)],
  ];
}

const INSTALLED = 2;
const PROVEN = 3;

/** Only our own filter answers the probe call as it does: another answer, and something pretends to install filters. */
function inForce({ results }: ProbeAnswer): Judgement {
  if (results[INSTALLED] !== 0) return ['unknown', 'none was installed'];
  return [results[PROVEN] === -PROBE_ERRNO ? 'yes' : 'no'];
}

function forAllThreads(answer: ProbeAnswer): Judgement {
  if (answer.results[INSTALLED] !== 0) return ['no', refusalOf(answer, INSTALLED)];
  return inForce(answer)[0] === 'yes' ? ['yes'] : ['no', 'not in force'];
}

function notificationRows(answers: Answers<ProbeName>): readonly Row[] {
  const listener = answers.of('listener');
  const sizes = answers.of('call:seccomp(SECCOMP_GET_NOTIF_SIZES)');
  return [
    ['its sizes', '5.0', judge(sizes, 0, [], [EINVAL, ENOSYS])],
    ['a listener of our own', '5.0', tried(listener, 1)],
    [
      'SYNC_WAKE_UP',
      '6.6',
      (listener.results[1] ?? -1) < 0 ? ['unknown', 'no listener'] : judge(listener, 2, [], [EINVAL, ENOTTY]),
    ],
  ];
}

function processRows(answers: Answers<ProbeName>, view: View | undefined): readonly Row[] {
  const seen = (what: Exclude<keyof View, 'filtersRefused'>): Judgement =>
    view === undefined ? ['unknown', 'not tried'] : [view[what] ? 'yes' : 'no'];
  return [
    ['execution from memory (memfd)', '3.17', memoryExecution(answers)],
    ['machine code from memory', undefined, tried(answers.of('machineCode'), 2)],
    ['pidfd_open', '5.3', tried(answers.of('pidfd'), 1)],
    ['pidfd_getfd', '5.6', tried(answers.of('pidfd'), 2)],
    ['ptrace of a child', undefined, tried(answers.of('ptrace'), 1)],
    ['process_vm_readv of a child', '3.2', seen('processVmReadv')],
    ['/proc/PID/mem of a child, to read', undefined, seen('memoryRead')],
    ['/proc/PID/mem of a child, to write', undefined, seen('memoryWrite')],
    ['/proc/PID/syscall of a child', '2.6.28', seen('syscallFile')],
    ['filters of a process (pid:N)', '4.4', filtersSeen(view)],
  ];
}

function filtersSeen(view: View | undefined): Judgement {
  if (view === undefined) return ['unknown', 'not tried'];
  return view.filtersRefused === undefined ? ['yes'] : ['no', view.filtersRefused];
}

function privilegeRows(answers: Answers<ProbeName>, place: Place): readonly Row[] {
  const bpfSetting = place.unprivilegedBpfDisabled;
  const unprivileged = answers.of('bpfUnprivileged');
  return [
    ['CAP_SYS_ADMIN', undefined, place.capSysAdmin === undefined ? ['unknown'] : [place.capSysAdmin ? 'yes' : 'no']],
    ['user namespaces', '3.8', tried(answers.of('userNamespace'), 0)],
    ['bpf as we are', '3.18', tried(answers.of('bpf'), 0)],
    [
      'bpf without privileges',
      '4.4',
      (unprivileged.results[1] ?? -1) >= 0
        ? ['yes']
        : [
            'no',
            [refusalOf(unprivileged, 1), bpfSetting && `unprivileged_bpf_disabled=${bpfSetting}`]
              .filter(Boolean)
              .join(', '),
          ],
    ],
    ['tracepoints', '2.6.28', place.tracepoints ? ['yes'] : ['no', 'tracefs not readable']],
  ];
}

function otherRows(answers: Answers<ProbeName>, place: Place): readonly Row[] {
  const landlock = answers.of('landlock').results[0] ?? 0;
  return [
    ['i386 calls (int 0x80)', undefined, abi(answers.of('ia32'))],
    ['x32 calls', '3.4', abi(answers.of('x32'))],
    ['BPF compiled (JIT)', undefined, jit(answers, place)],
    ['bitmap of allowed calls', '5.11', bitmap(answers)],
    ['io_uring', '5.1', judge(answers.of('ioUring'), 0, [EFAULT], [ENOSYS])],
    [
      'Landlock',
      '5.13',
      landlock > 0 ? ['yes', `ABI ${landlock}`] : judge(answers.of('landlock'), 0, [], [ENOSYS, EOPNOTSUPP]),
    ],
  ];
}

/** A foreign entry that is not built answers ENOSYS (x32) or faults (int 0x80). */
function abi(answer: ProbeAnswer): Judgement {
  if ((answer.results[0] ?? -1) > 0) return ['yes'];
  const isAbsent = answer.results[0] === -ENOSYS || answer.signal === 'SIGSEGV';
  return [isAbsent ? 'no' : 'unknown', refusalOf(answer, 0)];
}

/** Cycles of one call: the least of some timings, the first two left out as they fill the caches. */
function cyclesOf(answer: ProbeAnswer, first: number): number | undefined {
  const timings = answer.results.slice(first + 2);
  return timings.length === 0 ? undefined : Math.min(...timings) / TIMED_CALLS;
}

interface Cycles {
  readonly plain: number;
  readonly constant: number;
  readonly reading: number;
}

function cycles(answers: Answers<ProbeName>): Cycles | undefined {
  const FIRST_TIMING = 2;
  const plain = cyclesOf(answers.of('cost'), 0);
  const constant = cyclesOf(answers.of('costConstant'), FIRST_TIMING);
  const reading = cyclesOf(answers.of('costReading'), FIRST_TIMING);
  if (plain === undefined || constant === undefined || reading === undefined) return undefined;
  return { plain, constant, reading };
}

/** With the bitmap a filter that decides by the number alone is not run at all; with another filter on us that reads more, it is. */
function bitmap(answers: Answers<ProbeName>): Judgement {
  const cost = cycles(answers);
  if (cost === undefined) return ['unknown', 'no filter could be timed'];
  return [cost.constant - cost.plain < (cost.reading - cost.plain) / 3 ? 'yes' : 'no', 'by timing'];
}

/** Compiled, an instruction takes less than a cycle; interpreted, several. */
function jit(answers: Answers<ProbeName>, place: Place): Judgement {
  if (place.bpfJit !== undefined) return [place.bpfJit > 0 ? 'yes' : 'no', `bpf_jit_enable=${place.bpfJit}`];
  const cost = cycles(answers);
  if (cost === undefined) return ['unknown', 'no filter could be timed'];
  const perInstruction = (cost.reading - cost.plain) / TIMED_INSTRUCTIONS;
  if (perInstruction < 1.5) return ['yes', 'by timing'];
  return [perInstruction > 4 ? 'no' : 'unknown', 'by timing'];
}

/** All features, judged by the answers to the probes. */
export function judgeFeatures(answers: Answers<ProbeName>, place: Place, view: View | undefined): readonly Feature[] {
  const action = (name: string): Row => [
    name,
    SINCE[name] ?? '3.5',
    judge(answers.of(`action:${name}`), 0, [], [EOPNOTSUPP, EINVAL, ENOSYS]),
  ];
  const flag = (name: string): Row => [
    name,
    SINCE[name],
    judge(answers.of(`flag:${name}`), 0, [EFAULT], [EINVAL, ENOSYS]),
  ];
  const groups: readonly (readonly [Feature['group'], readonly Row[]])[] = [
    ['filters', filterRows(answers)],
    ['actions', Object.keys(ACTIONS).map(action)],
    ['flags', Object.keys(FLAGS).map(flag)],
    ['notification', notificationRows(answers)],
    ['processes', processRows(answers, view)],
    ['privileges', privilegeRows(answers, place)],
    ['other', otherRows(answers, place)],
  ];
  return groups.flatMap(([group, rows]) =>
    rows.map(([name, since, [answer, detail]]) => ({ group, name, answer, since, detail })),
  );
}

/** A call that Selkie makes and that does not reach the kernel. */
export interface RefusedCall {
  readonly call: string;
  /** What does not work without it. */
  readonly commands: readonly Command[];
  /** Something kills for it. */
  readonly isDeadly: boolean;
  /** Which commands it would kill. */
  readonly kills: readonly Command[];
  /** An errno's name, or `killed by SIGSYS`. */
  readonly answer: string;
}

/** Which of the calls that Selkie makes something answers in the kernel's place. */
export function refusedCalls(answers: Answers<ProbeName>): readonly RefusedCall[] {
  return Object.entries(NEEDED_CALLS).flatMap(([call, { errnos, commands, ours }]) => {
    const answer = answers.of(`call:${call}`);
    const result = answer.results[0];
    if (result !== undefined && (result >= 0 || errnos.includes(-result))) return [];
    const isDeadly = answer.signal !== undefined;
    return [{ call, answer: refusalOf(answer, 0), commands, isDeadly, kills: isDeadly ? ours : [] }];
  });
}
