import { createHash } from 'node:crypto';
import { runLauncher } from '../../apply/run.ts';
import { UnsupportedError } from '../../base/errors.ts';
import { encodeProgram } from '../../bpf/codec.ts';
import { compilePolicy } from '../../compile/compile-policy.ts';
import { sealElf } from '../../elf/seal.ts';
import { proberElf } from '../../elf/stubs/prober-x86-64.ts';
import {
  confinedExecution,
  type Feature,
  judgeFeatures,
  type RefusedCall,
  refusedCalls,
} from '../../kernel/features.ts';
import { libc, requireX8664, unsupportedMachine } from '../../kernel/libc.ts';
import { lookIntoChild, type View } from '../../kernel/look.ts';
import type { Command } from '../../kernel/needed-calls.ts';
import { type Place, readPlace } from '../../kernel/place.ts';
import { type Answers, askProbes } from '../../kernel/prober.ts';
import { type ProbeName, probesFor } from '../../kernel/probes.ts';
import { TrialFiles } from '../../kernel/trial-files.ts';
import type { ExitStatus } from '../../observe/session.ts';
import { parsePolicy } from '../../policy/parse.ts';
import { judgeTracing, type TracingVerdict } from './tracing.ts';

/** Finds out what works here: the kernel is asked, and each command is tried on a tiny program. */

/** How a trial failed; undefined where it went well. */
export type Fault = string | undefined;

export interface Examination {
  readonly place: Place;
  /** SECCOMP_MODE_*: 0 no filter on us, 2 filters; undefined where that is not told. */
  readonly mode: number | undefined;
  readonly noNewPrivs: boolean | undefined;
  readonly features: readonly Feature[];
  readonly refused: readonly RefusedCall[];
  /** undefined: looking could have killed this process. */
  readonly view: View | undefined;
  readonly faults: { readonly [K in 'library' | 'record' | 'explain' | 'lift' | 'run' | 'seal']: Fault };
  readonly tracing: TracingVerdict;
  /** A trial did not come to an end and is still there. */
  readonly isStuck: boolean;
}

/** Permits nearly all, so that the trial is decided by the place and not by the policy. */
const TRIAL_POLICY = 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EPERM):\n    - reboot\n';
/** The same with calls that end at the entry. A rule with a condition beats one without. */
const TRIAL_START = `${TRIAL_POLICY}    - execve\n    - acct\nstart:\n  allow:\n    - execve: arg0 != 0\n    - execve: arg0 == 0\n    - acct: arg0 == 0\n`;
const RECORD_TIMEOUT_MS = 5000;

/**
 * Examines this machine and this place. Nothing is changed: what would change a process is done in others.
 *
 * @throws {UnsupportedError} not Linux on x86-64, or no program of ours can be started at all
 */
export async function examine(): Promise<Examination> {
  const problem = unsupportedMachine();
  if (problem !== undefined)
    throw new UnsupportedError(
      'system calls',
      `Cannot record, run, confine or explain: ${problem}; policies can be written, simulated and sealed into x86-64 and AArch64 binaries here`,
    );
  requireX8664('try each command', 'record, seal, run, launcher and confine work here too: try them');
  const trial = proberElf([]);
  const files = TrialFiles.open(trial);
  if (files === undefined)
    throw new UnsupportedError(
      'execution of a probe',
      'Cannot examine this place: a program put into the temporary folder, /dev/shm or memory cannot be started: set TMPDIR to a folder that permits it',
    );
  try {
    return await examineWith(files, trial);
  } finally {
    files.remove();
  }
}

async function examineWith(files: TrialFiles, trial: Uint8Array): Promise<Examination> {
  const path = files.add('trial', trial);
  const policy = parsePolicy(TRIAL_POLICY);
  const filter = encodeProgram(compilePolicy(policy, { arches: ['x86_64'], probe: true }).program);
  const launcher = runLauncher(parsePolicy(TRIAL_START), path, 'auto');
  const answers = askProbes(files, probesFor({ trial, trialPath: path, launcher, filter }));
  const place = readPlace();
  const refused = refusedCalls(answers);
  const library = faultOf(() => libc());
  // These trials make calls in this very process.
  const canLook = library === undefined && !refused.some(({ isDeadly }) => isDeadly);
  const view = canLook ? await lookIntoChild(files, filter) : undefined;
  const deadly = (command: Command): Fault => {
    const call = refused.find(({ kills }) => kills.includes(command));
    return call && `${call.call}: ${call.answer}`;
  };
  const explain = library ?? deadly('record') ?? (await tryRecord(path));
  const canTrace = canLook && explain !== STUCK && !refused.some(({ call }) => call === 'ptrace');
  const record = explain !== undefined && canTrace && (await tryPtrace(path)) === undefined ? undefined : explain;
  const lift = library ?? deadly('lift') ?? (explain === STUCK ? STUCK : await tryLift(path));
  const features = judgeFeatures(answers, place, view);
  const tracing = await judgeTracing(place, features, async () => library ?? (await tryTracing(path)));
  const mode = answers.of('mode').results[0];
  const noNewPrivs = answers.of('noNewPrivs').results[0];
  return {
    place,
    mode: mode === undefined || mode < 0 ? undefined : mode,
    noNewPrivs: noNewPrivs === undefined || noNewPrivs < 0 ? undefined : noNewPrivs === 1,
    features,
    refused,
    view,
    faults: { library, record, explain, lift, run: runFault(answers, place), seal: trySealed(files, trial, filter) },
    tracing,
    isStuck: [explain, lift, tracing.because].includes(STUCK),
  };
}

function faultOf(action: () => unknown): Fault {
  try {
    action();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const STUCK = `a trial did not end within ${RECORD_TIMEOUT_MS / 1000} s`;

/** How a trial command ended. */
interface Trial {
  readonly status: ExitStatus;
  readonly error: Error | undefined;
}

const isSeen = ({ calls }: { readonly calls: number }): Fault => (calls > 0 ? undefined : 'no call was seen');

/** Records the trial program, as `record` does. */
async function tryRecord(path: string): Promise<Fault> {
  const { observeCommand } = await import('../../record/notify.ts');
  return inTime(observeCommand({ command: [path, 'x'] }), isSeen);
}

/** The same where user notification is refused. */
async function tryPtrace(path: string): Promise<Fault> {
  const { traceByPtrace } = await import('../../record/ptrace.ts');
  return inTime(traceByPtrace({ command: [path, 'x'] }), isSeen);
}

/** Records it by eBPF. */
async function tryTracing(path: string): Promise<Fault> {
  const { traceAndObserve } = await import('../../record/ebpf.ts');
  return inTime(traceAndObserve({ command: [path, 'x'] }), ({ calls }) => (calls > 0 ? undefined : 'no call was seen'));
}

/** Looks for filters that the trial program installs, as `lift` does: it installs none. */
async function tryLift(path: string): Promise<Fault> {
  const { collectInstallations } = await import('../../lift/installations.ts');
  return inTime(collectInstallations({ command: [path, 'x'] }), () => undefined);
}

async function inTime<T extends Trial>(trial: Promise<T>, judge: (ended: T) => Fault): Promise<Fault> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Fault>((resolve) => {
    timer = setTimeout(() => resolve(STUCK), RECORD_TIMEOUT_MS);
  });
  const ended = trial.then(
    (result): Fault => {
      if (result.error !== undefined) return result.error.message;
      const { status } = result;
      return 'code' in status && status.code === 0 ? judge(result) : `the trial ended with ${JSON.stringify(status)}`;
    },
    (error: unknown): Fault => (error instanceof Error ? error.message : String(error)),
  );
  try {
    return await Promise.race([ended, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The launcher ran the trial program under the filter, in a child of the prober. */
function runFault(answers: Answers<ProbeName>, place: Place): Fault {
  if (!place.hasProc) return '/proc is not there, by which run knows the descriptors that the command inherits';
  const [answer, detail] = confinedExecution(answers);
  return answer === 'yes' ? undefined : `the launcher did not run a command: ${detail}`;
}

/** Seals the trial program and starts it. */
function trySealed(files: TrialFiles, trial: Uint8Array, program: Uint8Array): Fault {
  const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  const sealed = files.add('sealed', sealElf(trial, { program, policyText: TRIAL_POLICY, sha256 }).bytes);
  const { status, signal, output } = files.start(sealed, ['x'], 'stderr');
  if (status === 0) return undefined;
  return output.toString().trim() || `a sealed program was ended by ${signal ?? `status ${status}`}`;
}
