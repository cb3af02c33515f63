import { PolicyError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { ARCHES, type ArchName } from '../facts/arches.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import { syscallNames, syscallNumber } from '../facts/syscalls.ts';
import { parseCondition } from './condition.ts';
import { evaluateConstant } from './constant.ts';
import type { Constant } from './model.ts';

/** name(arguments), name, or syscall(number)(arguments): outer parentheses may be left out when there are no arguments. */
const CALL = /^\s*(?:syscall\(\s*(\d+|0x[0-9a-f]+)\s*\)|([a-z_][a-z0-9_]*))\s*(?:\((.*)\))?\s*$/is;

/**
 * Reads one call as people write it, such as `socket(AF_INET, SOCK_STREAM, 0)`. Arguments are constants of the policy language; those
 * left out are 0. Negative ones are sign-extended to 64 bits, as a caller of the C library passes them.
 *
 * @throws {PolicyError} `bad_call`, `unknown_call`, `unknown_constant`
 */
export function parseCall(text: string, arch: ArchName): SeccompData {
  const match = CALL.exec(text);
  if (!match) throw new PolicyError('bad_call', `Cannot read call ${JSON.stringify(text)}: wanted NAME(ARGUMENT, ...)`);
  const [, number, name, list = ''] = match;
  const words = list.trim() === '' ? [] : splitArguments(list);
  if (words.length > 6) throw new PolicyError('bad_call', `${JSON.stringify(text)} has more than 6 arguments`);
  const args = [0, 1, 2, 3, 4, 5].map((index) => argumentValue(words[index], arch));
  const nr = number === undefined ? callNumber(name as string, arch) : Number(number) >>> 0;
  return { nr, arch: ARCHES[arch].token, instructionPointer: 0n, args };
}

/** The number of a call. @throws {PolicyError} `unknown_call` */
export function callNumber(name: string, arch: ArchName): number {
  const found = syscallNumber(arch, name);
  if (found !== undefined) return found;
  throw new PolicyError(
    'unknown_call',
    `"${name}" is no system call of ${arch}${didYouMean(name, syscallNames(arch))}`,
  );
}

/** Commas inside parentheses do not separate. */
function splitArguments(list: string): string[] {
  const words = [''];
  let depth = 0;
  for (const character of list) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) words.push('');
    else words[words.length - 1] += character;
  }
  return words;
}

/** A constant of the policy language as an argument; 0 where absent. @throws {PolicyError} `bad_call`, `unknown_constant`, those of conditions */
export function argumentValue(word: string | undefined, arch: ArchName): bigint {
  if (word === undefined) return 0n;
  return evaluateConstant(parseConstant(word.trim()), arch, 64).value;
}

/** The grammar of constants, by way of the one parser of conditions. */
function parseConstant(word: string): Constant {
  const condition = parseCondition(`arg0 == ${word}`);
  if (condition.kind === 'compare' && condition.operator === '==') return condition.constant;
  throw new PolicyError('bad_call', `${JSON.stringify(word)} is no constant`);
}
