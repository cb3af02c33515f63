import { ARCHES, NO_CALL, X32_SYSCALL_BIT } from '../facts/arches.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import type { ResolvedArch, ResolvedCondition, ResolvedPolicy, ResolvedTest } from './resolved.ts';

/**
 * What a policy says of one call: the reference that compiled programs are held against. It is simple on purpose
 * and shares nothing with the compiler.
 *
 * @param data - as the kernel gives it to a filter; unsigned
 * @returns SECCOMP_RET_* with its data, unsigned 32 bits
 */
export function decide(policy: ResolvedPolicy, data: SeccompData): number {
  const arch = policy.arches.find((each) => owns(each, data));
  return arch ? decideArch(arch, data) : policy.badArch;
}

/** x86_64 and x32 share a token: the bit in the number tells them apart (asm/unistd.h). */
function owns({ arch, calls }: ResolvedArch, data: SeccompData): boolean {
  if (ARCHES[arch].token !== data.arch) return false;
  if (arch === 'x86_64') return data.nr < X32_SYSCALL_BIT || (data.nr === NO_CALL && calls.has(NO_CALL));
  return arch !== 'x32' || data.nr >= X32_SYSCALL_BIT;
}

function decideArch(arch: ResolvedArch, data: SeccompData): number {
  const rules = arch.calls.get(data.nr);
  const rule = rules?.find(({ condition }) => condition === undefined || holds(condition, data));
  if (rule) return rule.action;
  if (rules === undefined && arch.unknown && data.nr > arch.unknown.above) return arch.unknown.action;
  return arch.default;
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
