import { U32_MAX } from '../base/u64.ts';
import type { Call } from './model.ts';
import { parseNumber } from './number.ts';
import { CALL_PATTERN } from './schema.ts';
import { fail, type Locate, quote } from './source.ts';

/**
 * Reads what a rule is about: `read`, `@go` or `syscall(335)`.
 *
 * @throws {PolicyError} `bad_value`, and those of numbers
 */
export function parseCall(text: string, locate: Locate): Call {
  if (!CALL_PATTERN.test(text))
    fail('bad_value', `${quote(text)} is no call: wanted a name, "@set" or syscall(number)`, locate, 0);
  if (text.startsWith('@')) return { kind: 'set', name: text.slice(1) };
  if (!text.startsWith('syscall(')) return { kind: 'name', name: text };
  const { value } = parseNumber(text.slice(8, -1), locate, 8);
  if (value > U32_MAX) fail('number_too_large', `${quote(text)}: a syscall number has 32 bits`, locate, 8);
  return { kind: 'number', number: Number(value) };
}
