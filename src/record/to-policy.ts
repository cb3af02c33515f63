import { detectGo } from '../elf/go.ts';
import { detectRuntime } from '../elf/runtime.ts';
import { ARCH_NAMES } from '../facts/arches.ts';
import { FLOORS } from '../facts/floors.ts';
import type { Action, Call, Policy, Rule } from '../policy/model.ts';
import { type RuleScope, rulesOfCall } from './call-rules.ts';
import type { Evidence } from './evidence.ts';

/** Evidence and floors to a policy. */

/** What a runtime may call in any run, whatever this one showed: named sets (without `@`) to allow. */
export interface Floor {
  /** What was recognised, for people: `Go 1.26.8 with cgo`. */
  readonly runtime: string;
  readonly sets: readonly string[];
}

/** Recognises the runtime of an executable by its bytes; undefined where Selkie knows no floor for it. */
export function floorOf(executable: Uint8Array): Floor | undefined {
  const go = detectGo(executable);
  if (go !== undefined) {
    const version = go.version.replace(/^go/, 'Go ');
    return go.cgo
      ? { runtime: `${version} with cgo`, sets: ['glibc-threads', 'go'] }
      : { runtime: version, sets: ['go'] };
  }
  const { libc, language } = detectRuntime(executable) ?? {};
  const sets = [libc, language].filter((set) => set !== undefined);
  const words = language === undefined ? sets : [LANGUAGES[language], ...(libc === undefined ? [] : ['with', libc])];
  return sets.length === 0 ? undefined : { runtime: words.join(' '), sets };
}

const LANGUAGES = { rust: 'Rust', python: 'Python', node: 'Node', java: 'Java' };

/** The floors of all executables of a recording together; undefined where none is known. */
export function joinFloors(floors: readonly (Floor | undefined)[]): Floor | undefined {
  const known = floors.filter((floor) => floor !== undefined);
  if (known.length === 0) return undefined;
  return {
    runtime: [...new Set(known.map(({ runtime }) => runtime))].join(', '),
    sets: [...new Set(known.flatMap(({ sets }) => sets))].sort(),
  };
}

/** Calls whose operations no filter sees (io_uring(7)). */
const RINGS = ['io_uring_setup', 'io_uring_enter', 'io_uring_register'];

/**
 * Leaves out that Node used a ring: its loops (libuv since 1.49, Node 22) make one where they can, and take epoll, which its floor has, where
 * `@fallback` answers ENOSYS. A policy that allowed the ring would allow all that a ring can do.
 *
 * @param floors - of executables, by their paths
 */
export function withoutRingsOfNode(
  evidence: readonly Evidence[],
  floors: ReadonlyMap<string, Floor | undefined>,
): readonly Evidence[] {
  const isNode = (exe: string): boolean => floors.get(exe)?.sets.includes('node') ?? false;
  return evidence.filter(({ exe, syscall }) => !(RINGS.includes(syscall ?? '') && isNode(exe)));
}

/**
 * Calls that chance left out, by name with the reason: Python ends children that are not through by themselves (multiprocessing at its exit,
 * subprocess after an exception), so where it waited for children in one run, it may kill them in the next.
 *
 * @param floors - of executables, by their paths
 */
export function impliedCalls(
  evidence: readonly Evidence[],
  floors: ReadonlyMap<string, Floor | undefined>,
): ReadonlyMap<string, string> {
  const waits = ({ exe, syscall, phase }: Evidence): boolean =>
    phase !== 'start' && /^wait(4|id)$/.test(syscall ?? '') && (floors.get(exe)?.sets.includes('python') ?? false);
  return new Map(evidence.some(waits) ? [['kill', 'Python ends children by it that it waits for']] : []);
}

export interface PolicyOptions {
  readonly name: string;
  /** The release it was recorded on, as `6.18`. */
  readonly kernel: string;
  /** Absent: the evidence alone (`--no-floor`). */
  readonly floor?: Floor | 'none';
  /** What else to allow, with the reason; see `impliedCalls`. */
  readonly implied?: ReadonlyMap<string, string>;
  /** Take only what this executable called. */
  readonly exe?: string;
  /** Evidence of which this is a part: its ABIs and phases decide the form of rules. */
  readonly partOf?: readonly Evidence[];
}

const ALLOW: Action = { kind: 'allow' };
const EPERM: Action = { kind: 'errno', errno: 'EPERM' };
const ENOSYS: Action = { kind: 'errno', errno: 'ENOSYS' };

/** Never called by choice, and no program ends or goes on without them (kernel/signal.c, exit_group(2)). */
const KERNEL_FLOOR = ['exit', 'exit_group', 'restart_syscall', 'rt_sigreturn'];

/**
 * Makes a policy that allows what the evidence shows, rules in alphabetical order, `start` apart. With a floor (`'none'`: no known runtime),
 * it also allows what any run may need, and answers ENOSYS to calls whose callers fall back on it.
 */
export function policyFromEvidence(evidence: readonly Evidence[], options: PolicyOptions): Policy {
  const lines = evidence.filter((line) => options.exe === undefined || line.exe === options.exe);
  const names = (phase: Evidence['phase']) => lines.filter((line) => line.phase === phase);
  const whole = options.partOf ?? lines;
  const service = names('service');
  // Rules of all ABIs have no conditions where there are several; what the service may do, `syscalls:` must permit.
  const isMixed = new Set(whole.map(({ arch }) => arch)).size > 1;
  const isOfAll = { isMixed, isForAll: true };
  const start = rules(names('start'), isOfAll);
  const hasExec = lines.some(({ syscall }) => syscall === 'execve' || syscall === 'execveat');
  // Logs may lack it; `run` cannot start a program without.
  if (options.floor !== undefined && start.length === 0 && !hasExec)
    start.push({
      action: ALLOW,
      call: { kind: 'name', name: 'execve' },
      comment: ' not seen, but run starts the program by it',
    });
  return {
    selkie: 1,
    sets: 1,
    name: options.name,
    arches: ARCH_NAMES.filter((arch) => lines.some((line) => line.arch === arch)),
    default: EPERM,
    kernel: options.kernel,
    unknown: ENOSYS,
    badArch: { kind: 'kill_process' },
    syscalls: [
      ...rules([...names('program'), ...service], {
        ...options,
        isMixed,
        isForAll: whole.some(({ phase }) => phase === 'service'),
      }),
      ...sets(options.floor),
    ],
    ...(start.length > 0 && { start }),
    // What `syscalls:` refuse stays refused as it is.
    ...(service.length > 0 && {
      service: [
        ...rules(service, { ...options, ...isOfAll }),
        ...sets(options.floor).filter(({ action }) => action === ALLOW),
      ],
    }),
  };
}

type RulesOptions = Pick<PolicyOptions, 'floor' | 'implied'> & Omit<RuleScope, 'permittedBy'>;

function rules(lines: readonly Evidence[], { floor, implied = new Map(), ...scope }: RulesOptions): Rule[] {
  const calls = new Map<string, readonly Rule[]>();
  for (const [name, own] of linesByCall(lines)) {
    const [{ syscall, nr }] = own;
    const call: Call = { kind: 'number', number: nr };
    const permittedBy = floorWith(floor, name);
    calls.set(
      name,
      syscall === undefined ? [{ action: ALLOW, call }] : rulesOfCall(name, own, { ...scope, permittedBy }),
    );
  }
  for (const [name, reason] of implied)
    if (!calls.has(name))
      calls.set(name, [{ action: ALLOW, call: { kind: 'name', name }, comment: ` not seen: ${reason}` }]);
  const added = floor === undefined ? [] : KERNEL_FLOOR.filter((name) => !calls.has(name));
  // A runtime's own floor has them, each with its reason.
  if (floor === 'none')
    for (const name of added)
      calls.set(name, [{ action: ALLOW, call: { kind: 'name', name }, comment: ' not seen, but any run may need it' }]);
  return [...calls].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, own]) => own);
}

function linesByCall(lines: readonly Evidence[]): ReadonlyMap<string, readonly [Evidence, ...Evidence[]]> {
  const calls = new Map<string, [Evidence, ...Evidence[]]>();
  for (const line of lines) {
    const name = line.syscall ?? `syscall(${line.nr})`;
    const known = calls.get(name);
    if (known === undefined) calls.set(name, [line]);
    else known.push(line);
  }
  return calls;
}

function floorWith(floor: Floor | 'none' | undefined, call: string): string | undefined {
  if (floor === undefined || floor === 'none') return undefined;
  const set = floor.sets.find((name) => FLOORS[name]?.some((member) => member.name === call));
  return set === undefined ? undefined : `@${set}`;
}

function sets(floor: Floor | 'none' | undefined): readonly Rule[] {
  if (floor === undefined) return [];
  const rule = (action: Action, name: string): Rule => ({ action, call: { kind: 'set', name } });
  const allowed = floor === 'none' ? [] : floor.sets.map((name) => rule(ALLOW, name));
  return [...allowed, rule(ENOSYS, 'fallback')];
}

/** `6.18` of `6.18.44-fc`: the first two numbers of a kernel release. */
export function releaseOf(version: string): string {
  return /^(\d+\.\d+)/.exec(version)?.[1] ?? version;
}
