import { PolicyError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { U32_MAX, U64_MAX } from '../base/u64.ts';
import { ARCH_NAMES, ARCHES, type ArchName } from '../facts/arches.ts';
import type { SeccompData } from '../facts/seccomp.ts';
import { argumentValue, callNumber } from './call-text.ts';

const KEYS = ['arch', 'nr', 'call', 'args', 'ip'];
const NUMBER = /^(?:-?[0-9]+|0x[0-9a-f]+)$/i;
/** Integers that a double may not hold, outside of strings. */
const LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?[1-9][0-9]{15,}(?![0-9.eE])/g;

/** A call with the ABI that makes it. */
export interface ArchCall {
  readonly arch: ArchName;
  readonly data: SeccompData;
}

/**
 * Reads one call as JSON: `{"arch":"x86_64","nr":41,"args":[2,1,0],"ip":0}`, or `"call":"socket"` for the number. Values are numbers, decimal or hexadecimal
 * text, or constants (`"AF_INET"`), exact to 64 bits; what is left out is 0, negative ones are sign-extended.
 *
 * @param arch - for calls that name no ABI
 * @throws {PolicyError} `bad_call`, `unknown_call`, `unknown_constant`
 */
export function parseJsonCall(text: string, arch: ArchName): ArchCall {
  const fields = parseObject(text);
  const own = fields.arch === undefined ? arch : archOf(fields.arch);
  const { args = [] } = fields;
  if (!Array.isArray(args) || args.length > 6) bad('"args" must be a list of at most 6 values');
  const data: SeccompData = {
    nr: numberOf(fields, own),
    arch: ARCHES[own].token,
    instructionPointer: unsignedOf(fields.ip, own),
    args: [0, 1, 2, 3, 4, 5].map((index) => unsignedOf(args[index], own)),
  };
  return { arch: own, data };
}

function bad(problem: string): never {
  throw new PolicyError('bad_call', problem);
}

function parseObject(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(LONG_INTEGER, (found) => (found.startsWith('"') ? found : `"${found}"`)));
  } catch {
    bad('it is no JSON: wanted an object such as {"call":"socket","args":["AF_INET",1,0]}');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) bad('wanted a JSON object');
  for (const key of Object.keys(parsed))
    if (!KEYS.includes(key))
      bad(`"${key}" is no key of a call${didYouMean(key, KEYS) || `: wanted ${KEYS.join(', ')}`}`);
  return parsed as Record<string, unknown>;
}

function archOf(name: unknown): ArchName {
  const found = ARCH_NAMES.find((known) => known === name);
  return found ?? bad(`no ABI is called ${JSON.stringify(name)}: one of ${ARCH_NAMES.join(', ')}`);
}

function numberOf({ nr, call }: Record<string, unknown>, arch: ArchName): number {
  if ((nr === undefined) === (call === undefined)) bad('wanted either "nr" or "call"');
  if (call !== undefined)
    return typeof call === 'string' ? callNumber(call, arch) : bad('"call" must be the name of a call');
  const value = unsignedOf(nr, arch);
  if (typeof nr === 'string' && !NUMBER.test(nr)) bad('"nr" must be a number; a name goes to "call"');
  // A caller of the C library may pass -1: the kernel compares 32 bits.
  if (value > U32_MAX && value < U64_MAX - U32_MAX / 2n) bad('"nr" has 32 bits');
  return Number(value & U32_MAX);
}

/** Unsigned, 64 bits. */
function unsignedOf(value: unknown, arch: ArchName): bigint {
  if (value === undefined) return 0n;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt.asUintN(64, BigInt(value));
  if (typeof value !== 'string') bad(`${JSON.stringify(value)} is no value: wanted an integer, or text`);
  if (!NUMBER.test(value)) return argumentValue(value, arch);
  const number = BigInt(value);
  if (number > U64_MAX || number < -(1n << 63n)) bad(`${value} does not fit 64 bits`);
  return BigInt.asUintN(64, number);
}
