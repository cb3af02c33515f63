import { PolicyError } from '../base/errors.ts';
import { checkProgram } from '../bpf/check.ts';
import type { Program } from '../bpf/instruction.ts';
import { CannotTellError } from '../decision/cannot-tell.ts';
import { Diagrams, type Limits, type Node } from '../decision/diagrams.ts';
import { diagramOfPolicy } from '../decision/from-policy.ts';
import { diagramOfProgram } from '../decision/from-program.ts';
import { hasNotice, permitsCall, type StartOnNotice, startOnNotice, startUntilSecond } from '../decision/notice.ts';
import type { ArchName } from '../facts/arches.ts';
import { syscallName } from '../facts/syscalls.ts';
import type { ResolvedCalls, ResolvedCondition, ResolvedPolicy } from '../policy/resolved.ts';
import { layOut } from './layout.ts';
import { lowerDiagram } from './lower.ts';
import { type CallCounts, weightsBy } from './weights.ts';

export interface CompileOptions {
  /**
   * Also answer the probe call (facts/seccomp.ts) with its magic errno, before anything that the policy says of seccomp(2). Whatever
   * installs a filter wants it. `service`: with that of a policy's second program.
   */
  readonly probe?: boolean | 'service';
  /** How often calls were seen: frequent ones get short ways. */
  readonly counts?: CallCounts;
}

/** Some 100 MiB and 1 s: a filter that fits the kernel takes a tenth. */
export const LIMITS: Limits = { nodes: 1 << 21, steps: 4_000_000 };

/**
 * Compiles a policy to a program: the architecture first, then the number, then arguments. Deterministic. The program's own meaning is
 * computed from its instructions and held against the policy's: what is returned is proven equal for every call.
 *
 * @returns a program that the kernel's checker accepts
 * @throws {ProgramError} `program_too_long`
 * @throws {PolicyError} `too_complex`: its conditions are too intricate for an exact answer
 */
export function compile(policy: ResolvedPolicy, options: CompileOptions = {}): Program {
  return inNewSpace(policy, (space) => compileDiagram(space, diagramOfPolicy(space, policy, options), options));
}

/** A compiled filter under which what `start:` alone permits waits for an answer. */
export interface CompiledStart extends Omit<StartOnNotice, 'node'> {
  readonly program: Program;
}

/**
 * Compiles a policy such that what its `start:` alone permits is notified, for a launcher, and answers the probe call.
 *
 * @param main - the policy without `start:`
 * @param withStart - the policy with it
 * @param arch - the ABI of the launcher
 * @throws {PolicyError} `start_exec`: neither permits execve(2); `start_notify`: the policy has calls notified itself, and nobody would answer
 *   as it wants; and as `compile`
 */
export function compileStart(main: ResolvedPolicy, withStart: ResolvedPolicy, arch: ArchName): CompiledStart {
  return inNewSpace(withStart, (space) => {
    const [own, atStart] = bothMeanings(space, main, withStart);
    if (hasNotice(space, own))
      throw new PolicyError(
        'start_notify',
        'a launcher that answers calls itself cannot have "notify" in its policy: use another action',
      );
    if (!permitsCall(space, atStart, arch, 'execve'))
      throw new PolicyError(
        'start_exec',
        'the start of a command needs execve, which this policy does not permit: add "start: {allow: [execve]}"',
      );
    const { node, ...notice } = startOnNotice(space, own, atStart, archesOf(main));
    return { ...notice, program: compileDiagram(space, notice.isNeeded ? node : own) };
  });
}

/** Compiles a policy such that what its `start:` alone permits is notified, whoever answers, and the probe call is answered. */
export function compileOnNotice(main: ResolvedPolicy, withStart: ResolvedPolicy): Program {
  return inNewSpace(withStart, (space) => {
    const [own, atStart] = bothMeanings(space, main, withStart);
    return compileDiagram(space, startOnNotice(space, own, atStart, archesOf(main)).node);
  });
}

/** Two programs of which the second ends what only `start:` permits; together they mean the policy without it. */
export interface CompiledInjection {
  /** Permits what either does, and the installation of the second on all threads; answers the probe call. */
  readonly first: Program;
  /** The policy without `start:`; answers the probe call as a second program does. */
  readonly second: Program;
}

/** Compiles a policy for a second installation at the program's entry; as compileStart. */
export function compileInjection(main: ResolvedPolicy, withStart: ResolvedPolicy): CompiledInjection {
  const first = inNewSpace(withStart, (space) => {
    const [own, atStart] = bothMeanings(space, main, withStart);
    return compileDiagram(space, startUntilSecond(space, own, atStart, archesOf(main)));
  });
  return { first, second: compile(main, { probe: 'service' }) };
}

function bothMeanings(space: Diagrams, main: ResolvedPolicy, withStart: ResolvedPolicy): readonly [Node, Node] {
  const options = { probe: true };
  return [diagramOfPolicy(space, main, options), diagramOfPolicy(space, withStart, options)];
}

const archesOf = ({ arches }: ResolvedPolicy): readonly ArchName[] => arches.map(({ arch }) => arch);

function inNewSpace<T>(policy: ResolvedPolicy, work: (space: Diagrams) => T): T {
  try {
    return work(new Diagrams(LIMITS));
  } catch (error) {
    if (error instanceof CannotTellError) refuse(policy, error);
    throw error;
  }
}

/** Names the call whose rules have the most tests: the first place to look. */
function refuse(policy: ResolvedPolicy, cause: CannotTellError): never {
  const named = (calls: ResolvedCalls['calls'], arch?: ArchName) =>
    [...calls].map(([nr, rules]) => ({ name: (arch && syscallName(arch, nr)) ?? `syscall(${nr})`, rules }));
  const calls = policy.arches.flatMap(({ arch, calls }) => named(calls, arch));
  if (policy.other) calls.push(...named(policy.other.calls));
  const sized = calls.map((call) => ({
    ...call,
    tests: sum(call.rules.map(({ condition }) => countTests(condition))),
  }));
  const most = sized.reduce((best, each) => (each.tests > best.tests ? each : best), sized[0] as (typeof sized)[0]);
  const { name, rules, tests } = most;
  const what = `the conditions of ${name} (${tests} comparisons)`;
  const problem = `${what} are too intricate for an exact filter: use fewer, or test fewer bits of fewer arguments`;
  const place = rules.find(({ condition }) => condition)?.rule.place;
  throw new PolicyError('too_complex', problem, place, { cause });
}

function countTests(condition: ResolvedCondition | undefined): number {
  if (condition === undefined) return 0;
  if (condition.kind === 'test') return 1;
  return condition.kind === 'not' ? countTests(condition.operand) : sum(condition.operands.map(countTests));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Compiles what a diagram means, and proves it. */
function compileDiagram(space: Diagrams, meaning: Node, { counts }: Pick<CompileOptions, 'counts'> = {}): Program {
  const program = layOut(lowerDiagram(space, meaning, weightsBy(counts)));
  checkProgram(program);
  // A fault of ours must never become a filter.
  if (diagramOfProgram(space, program) !== meaning)
    throw new Error('the compiled program does not mean what the policy means');
  return program;
}
