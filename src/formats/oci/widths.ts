import { ARCHES, type ArchName } from '../../facts/arches.ts';
import { parameters } from '../../facts/prototypes.ts';
import type { Condition, Rule } from '../../policy/model.ts';

/**
 * Notes comparisons that look at more than the kernel reads, or at an address: bits that a caller may set as it likes pass or miss them. Our own
 * language compares what the kernel reads; `raw()` keeps what a profile means.
 */
export function noteWidths(rules: readonly Rule[], arches: readonly ArchName[], notes: Set<string>): void {
  const wide = new Set<string>();
  const pointers = new Set<string>();
  for (const { call, index } of rules.flatMap(comparedArguments)) {
    for (const arch of arches) {
      const parameter = parameters(arch, call)?.[index];
      if (parameter?.pointer) pointers.add(`${call} ${parameter.name}`);
      if (parameter && parameter.width < ARCHES[arch].bits) wide.add(`${call} ${parameter.name}`);
    }
  }
  const reading = 'compared on all 64 bits of the register, as libseccomp does, though the kernel reads 32';
  if (wide.size > 0) notes.add(`${reading}: ${[...wide].join(', ')}`);
  const addresses = 'compared as addresses, which say nothing about what they point to';
  if (pointers.size > 0) notes.add(`${addresses}: ${[...pointers].join(', ')}`);
}

function comparedArguments({ call, condition }: Rule): readonly { call: string; index: number }[] {
  if (!condition || call.kind !== 'name') return [];
  return indicesOf(condition).map((index) => ({ call: call.name, index }));
}

function indicesOf(condition: Condition): readonly number[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.operands.flatMap(indicesOf);
    case 'not':
      return indicesOf(condition.operand);
    default:
      return [Number(condition.field.argument.slice('arg'.length))];
  }
}
