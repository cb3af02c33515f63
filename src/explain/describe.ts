import { basename } from 'node:path';
import { printReturn } from '../bpf/disassemble.ts';
import { ARCHES, type ArchName } from '../facts/arches.ts';
import { constantName } from '../facts/constants.ts';
import { errnoName } from '../facts/errnos.ts';
import { FLOORS } from '../facts/floors.ts';
import { type Parameter, parameters } from '../facts/prototypes.ts';
import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_DATA, SECCOMP_RET_ERRNO } from '../facts/seccomp.ts';
import { selectorsOf } from '../facts/selectors.ts';
import { syscallName } from '../facts/syscalls.ts';
import { abiOf } from '../observe/abi.ts';
import { isGuard } from '../observe/guard-messages.ts';
import { conditionOfBox } from '../policy/box-condition.ts';
import { printCondition } from '../policy/condition-print.ts';
import { generalise } from '../policy/generalise.ts';
import type { Denial } from './server.ts';

/** A denial in words. */
export interface Explanation {
  /** With its arguments, as people write it. */
  readonly call: string;
  /** `EPERM`, or the action: `kill_process`. */
  readonly answer: string;
  readonly count: number;
  /** The executable's base name. */
  readonly program: string;
  /** `unknown` when unsure. */
  readonly function: string;
  readonly module: string;
  /** Go: file and line, and the program's own function that led there. */
  readonly source: string | undefined;
  readonly caller: string | undefined;
  readonly thread: 'main' | 'other';
  /** Whose filter denies it: the policy's, or one that the program installed itself. */
  readonly filter: 'policy' | 'own';
  /** What would permit the call: a rule, or an ABI to list. */
  readonly permit: string;
  /** `@go` where that set has the call and the caller is Go: it holds all that the runtime may need in any run. */
  readonly floor: string | undefined;
}

/** What of a policy decides how its denials are explained. */
export interface ExplainedPolicy {
  /** Those that it is compiled for. */
  readonly arches: readonly string[];
  /** Calls of which it has rules with conditions. */
  readonly conditional: ReadonlySet<string>;
  /** Calls that `start:` names. */
  readonly start: ReadonlySet<string>;
}

/** Explains a denial. */
export function explain(
  { data, action, by, exe, site, isMainThread, count }: Denial,
  { arches, conditional, start }: ExplainedPolicy,
): Explanation {
  const arch = abiOf(data.arch, data.nr) ?? 'x86_64';
  const name = syscallName(arch, data.nr);
  const rule = name ?? `syscall(${data.nr - ARCHES[arch].numberOffset})`;
  const isLauncher = isGuard(exe);
  const isOver = by === 'policy' && start.has(rule) ? ' in syscalls: (start: ended at the entry)' : '';
  return {
    call: `${rule}(${name === undefined ? '' : argumentsOf(arch, name, data.args)})`,
    answer: answerOf(action, arch),
    count,
    program: isLauncher ? 'the launcher' : basename(exe ?? 'unknown'),
    function: (isLauncher ? undefined : site.function) ?? 'unknown',
    module: isLauncher ? '' : (site.module ?? 'unknown'),
    source: isLauncher ? undefined : site.source,
    caller: isLauncher ? undefined : site.caller,
    thread: isMainThread ? 'main' : 'other',
    filter: by,
    floor: by === 'policy' && site.isGo && FLOORS.go.some((call) => call.name === name) ? '@go' : undefined,
    permit:
      by === 'own' || arches.includes(arch)
        ? `allow ${rule}${conditional.has(rule) ? conditionText(arch, rule, data.args) : ''}${isOver}`
        : `add ${arch} to arches`,
  };
}

/** One line, such as `denied exit_group(0) → EPERM ×1 in makeTheFolder at runtime.exit (runtime/sys_linux_amd64.s:54), thread main; ...`. */
export function explanationLine(explanation: Explanation): string {
  const { call, answer, count, program, function: name, module, source, caller, thread, permit, floor } = explanation;
  const whose = explanation.filter === 'own' ? ' in the filter that the program brings' : '';
  const hint = floor === undefined ? '' : `, or "${floor}" for all that its runtime may need`;
  const where = source ?? module;
  const from = caller === undefined ? '' : `, called by ${caller}`;
  const place = `in ${program} at ${name}${where === '' ? '' : ` (${where})`}${from}, thread ${thread}`;
  return `denied ${call} → ${answer} ×${count} ${place}; to permit it: ${permit}${whose}${hint}`;
}

/** The condition by which a policy would permit these arguments: `: prot within [PROT_READ, PROT_EXEC]`. */
function conditionText(arch: ArchName, name: string, args: readonly bigint[]): string {
  const selectors = selectorsOf(arch, name);
  const values = selectors.map(({ index, number, flags }) => (args[index] ?? 0n) & (number | flags));
  const [box] = generalise(selectors, [], [{ values, count: 1 }]).boxes;
  const condition = box && conditionOfBox(arch, selectors, box);
  return condition === undefined ? '' : `: ${printCondition(condition)}`;
}

function answerOf(action: number, arch: ArchName): string {
  const isErrno = (action & SECCOMP_RET_ACTION_FULL) >>> 0 === SECCOMP_RET_ERRNO && (action & SECCOMP_RET_DATA) !== 0;
  const errno = action & SECCOMP_RET_DATA;
  return isErrno ? (errnoName(arch, errno) ?? `errno ${errno}`) : printReturn(action, arch);
}

function argumentsOf(arch: ArchName, name: string, args: readonly bigint[]): string {
  return (parameters(arch, name) ?? [])
    .map((parameter, index) => argumentText(arch, parameter, args[index] as bigint))
    .join(', ');
}

/** By its name where it is one constant; signed where the kernel reads it so; pointers and what is large in hex. */
function argumentText(arch: ArchName, { width, pointer, signed, constants }: Parameter, whole: bigint): string {
  const value = signed ? BigInt.asIntN(width, whole) : BigInt.asUintN(width, whole);
  // AT_FDCWD is the one value of descriptors that has a name (fcntl.h).
  if (width === 32 && BigInt.asIntN(32, whole) === -100n) return 'AT_FDCWD';
  const named = constants === undefined || pointer ? undefined : constantName(arch, constants, value);
  if (named !== undefined) return named;
  return pointer || value > 0xffffn ? `0x${value.toString(16)}` : `${value}`;
}
