import { U64_MAX } from '../base/u64.ts';
import { fail, type Locate, quote } from './source.ts';

/** A number as written: `base` is absent for decimal. */
export interface WrittenNumber {
  readonly value: bigint;
  readonly base?: 8 | 16;
}

/**
 * Reads decimal, 0x.. or 0o..; other spellings mean different things to different readers and are refused.
 *
 * @throws {PolicyError} `bad_number`, `octal_number`, `number_too_large`
 */
export function parseNumber(text: string, locate: Locate, offset: number): WrittenNumber {
  if (/^0[0-9]+$/.test(text)) {
    const octal = /^[0-7]+$/.test(text) ? `: write 0o${text.replace(/^0+(?=.)/, '')} for octal` : '';
    fail('octal_number', `${quote(text)} is ambiguous${octal}, or drop the leading 0 for decimal`, locate, offset);
  }
  const wanted = 'wanted decimal, 0x.. or 0o..';
  if (!/^(?:[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)$/.test(text)) {
    fail('bad_number', `${quote(text)} is no number: ${wanted}`, locate, offset);
  }
  // 24 characters hold every 64-bit number in each base; a longer text is too large, whatever its zeros.
  const value = text.length > 24 ? U64_MAX + 1n : BigInt(text);
  if (value > U64_MAX) fail('number_too_large', `${quote(text)} does not fit 64 bits`, locate, offset);
  if (text.startsWith('0x')) return { value, base: 16 };
  return text.startsWith('0o') ? { value, base: 8 } : { value };
}

/** Writes a number so that `parseNumber` gives it back. */
export function printNumber(value: bigint, base?: 8 | 16): string {
  if (base === undefined) return value.toString();
  return base === 16 ? `0x${value.toString(16)}` : `0o${value.toString(8)}`;
}
