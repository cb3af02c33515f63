import { ARCHES, isLittleEndian, NO_CALL, X32_SYSCALL_BIT } from '../facts/arches.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import type {
  ResolvedArch,
  ResolvedCalls,
  ResolvedCondition,
  ResolvedPolicy,
  ResolvedRule,
  ResolvedTest,
} from './resolved.ts';

/**
 * What a policy says of one call: the reference that compiled programs are held against. It is simple on purpose
 * and shares nothing with the compiler.
 *
 * @param data - as the kernel gives it to a filter; unsigned
 * @returns SECCOMP_RET_* with its data, unsigned 32 bits
 */
export function decide(policy: ResolvedPolicy, data: SeccompData): number {
  const arch = policy.arches.find((each) => owns(each, data));
  return arch ? decideArch(arch, data) : decideOther(policy, data);
}

/** x86_64 and x32 share a token: the bit in the number tells them apart (asm/unistd.h). */
function owns({ arch, calls }: ResolvedArch, data: SeccompData): boolean {
  if (ARCHES[arch].token !== data.arch) return false;
  if (arch === 'x86_64') return data.nr < X32_SYSCALL_BIT || (data.nr === NO_CALL && calls.has(NO_CALL));
  return arch !== 'x32' || data.nr >= X32_SYSCALL_BIT;
}

function decideArch(arch: ResolvedArch, data: SeccompData): number {
  const rules = rulesOf(arch, data.nr);
  const rule = firstThatHolds(rules, data);
  if (rule) return rule.action;
  if (rules === undefined && arch.unknown && data.nr > arch.unknown.above) return arch.unknown.action;
  return arch.default;
}

function decideOther({ other, badArch }: ResolvedPolicy, data: SeccompData): number {
  if (!other) return badArch;
  const isAsRead = isLittleEndian(data.arch) === other.littleEndian;
  return firstThatHolds(rulesOf(other, data.nr), isAsRead ? data : swapped(data))?.action ?? badArch;
}

function rulesOf({ calls, ranges }: ResolvedCalls, nr: number): readonly ResolvedRule[] | undefined {
  const range = ranges?.find(({ from, to }) => nr >= from && nr <= to);
  return calls.get(nr) ?? (range && [range.rule]);
}

function firstThatHolds(rules: readonly ResolvedRule[] | undefined, data: SeccompData): ResolvedRule | undefined {
  return rules?.find(({ condition }) => condition === undefined || holds(condition, data));
}

/** The call as a machine of the other byte order reads its words. */
function swapped(data: SeccompData): SeccompData {
  const swap = (value: bigint): bigint => ((value & 0xffff_ffffn) << 32n) | (value >> 32n);
  return { ...data, instructionPointer: swap(data.instructionPointer), args: data.args.map(swap) };
}

/** Whether a condition holds for a call. */
export function holds(condition: ResolvedCondition, data: SeccompData): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.operands.every((each) => holds(each, data));
    case 'or':
      return condition.operands.some((each) => holds(each, data));
    case 'not':
      return !holds(condition.operand, data);
    default:
      return compare(condition, data);
  }
}

function compare({ argument, width, mask, operator, value }: ResolvedTest, data: SeccompData): boolean {
  const whole = argument === 'ip' ? data.instructionPointer : (data.args[argument] as bigint);
  const left = BigInt.asUintN(width, whole) & mask;
  switch (operator) {
    case '==':
      return left === value;
    case '!=':
      return left !== value;
    case '<':
      return left < value;
    case '<=':
      return left <= value;
    case '>':
      return left > value;
    case '>=':
      return left >= value;
  }
}
