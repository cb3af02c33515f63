/**
 * Parameters of system calls with their effective widths: how much of the register the kernel reads. Sources: the types of
 * SYSCALL_DEFINE as tracing shows them, names of man-pages section 2; where the kernel narrows a value later, a hand-kept line.
 */

import { ARCHES, type ArchName } from './arches.ts';
import { syscallNumber } from './syscalls.ts';
import { PARAMETERS, PARAMETERS_BY_ARCH } from './tables/z-parameters.ts';

/** One parameter; its place in the list is the index of `args` in struct seccomp_data. */
export interface Parameter {
  /** The man page's name, else the kernel's. */
  readonly name: string;
  /** Other names that mean it: the kernel's, and those of older or newer man pages. */
  readonly aliases: readonly string[];
  /** Bits that the kernel reads. Types narrower than an int (umode_t, old_uid_t) count as 32. */
  readonly width: 32 | 64;
  readonly pointer: boolean;
  readonly signed: boolean;
  /** Prefix of the constants that its values have, such as `AF_`. */
  readonly constants?: string;
}

const parsed = new Map<string, readonly Parameter[]>();

/** Letters of the tables: i int, u unsigned int, l long, L unsigned long, q and Q 64 bits, p pointer. */
function parseParameter(arch: ArchName, text: string): Parameter {
  const [names = '', letter = 'L', constants] = text.split(':');
  const [name = '', ...aliases] = names.split('/');
  // x32 runs as 64-bit code, so its pointers and longs fill a register; only i386 has short ones.
  const wide = letter !== 'i' && letter !== 'u' && (ARCHES[arch].bits === 64 || ARCHES[arch].numberOffset !== 0);
  const parameter = {
    name,
    aliases,
    width: wide ? 64 : 32,
    pointer: letter === 'p',
    signed: letter === 'i' || letter === 'l' || letter === 'q',
  } as const;
  return constants === undefined ? parameter : { ...parameter, constants };
}

function lineOf(arch: ArchName, name: string): string | undefined {
  const special = PARAMETERS_BY_ARCH[arch];
  if (special !== undefined && Object.hasOwn(special, name)) return special[name];
  return Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
}

/**
 * Parameters of a call in the order of its registers; empty where it takes none. Undefined where the arch has no such call,
 * or where its number is reserved and nothing is known about arguments.
 */
export function parameters(arch: ArchName, name: string): readonly Parameter[] | undefined {
  const key = `${arch}:${name}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  if (syscallNumber(arch, name) === undefined) return undefined;
  const line = lineOf(arch, name);
  if (line === undefined) return undefined;
  const list = line === '' ? [] : line.split(' ').map((text) => parseParameter(arch, text));
  parsed.set(key, list);
  return list;
}
