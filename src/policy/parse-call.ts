import { U32_MAX } from '../base/u64.ts';
import type { Call } from './model.ts';
import { parseNumber } from './number.ts';
import { CALL_PATTERN } from './schema.ts';
import { fail, type Locate, quote } from './source.ts';

/**
 * Reads what a rule is about: `read`, `@go`, `syscall(335)` or `syscall(1000..0x3fffffff)`.
 *
 * @throws {PolicyError} `bad_value`, `bad_range`, and those of numbers
 */
export function parseCall(text: string, locate: Locate): Call {
  if (!CALL_PATTERN.test(text))
    fail('bad_value', `${quote(text)} is no call: wanted a name, "@set" or syscall(number)`, locate, 0);
  if (text.startsWith('@')) return { kind: 'set', name: text.slice(1) };
  if (!text.startsWith('syscall(')) return { kind: 'name', name: text };
  const [first, last] = text.slice(8, -1).split('..') as [string, string | undefined];
  const from = syscallNumber(text, first, locate, 8);
  if (last === undefined) return { kind: 'number', number: from };
  const offset = 8 + first.length + 2;
  const to = syscallNumber(text, last, locate, offset);
  if (from < to) return { kind: 'range', from, to };
  const todo = from === to ? `write syscall(${first})` : 'the smaller number comes first';
  fail('bad_range', `${quote(text)} is no range: ${todo}`, locate, offset);
}

function syscallNumber(text: string, number: string, locate: Locate, offset: number): number {
  const { value } = parseNumber(number, locate, offset);
  if (value > U32_MAX) fail('number_too_large', `${quote(text)}: a syscall number has 32 bits`, locate, offset);
  return Number(value);
}
