import type { ArchName } from '../facts/arches.ts';
import { constant, constantName, constantNames } from '../facts/constants.ts';
import type { Selector } from '../facts/selectors.ts';

/** Names of the values of selectors, as conditions and comments write them. */

/** What the numbers of one argument are called depends on that of another one. */
const DEPENDENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  protocol: { AF_INET: 'IPPROTO_', AF_INET6: 'IPPROTO_', AF_NETLINK: 'NETLINK_' },
  optname: { SOL_SOCKET: 'SO_', SOL_IP: 'IP_', SOL_TCP: 'TCP_', SOL_UDP: 'UDP_', SOL_IPV6: 'IPV6_' },
};
/** ioctl(2) has no prefix of its own: terminals, files, sockets, devices. */
const REQUESTS = ['TC', 'TIOC', 'FIO', 'SIOC', 'FS_IOC_', 'BLK'];
/** As a flag; the first name of its value is that of an operation with it. */
const FUTEX_FLAG = 'FUTEX_PRIVATE_FLAG';

/**
 * A number's name, or the number.
 *
 * @param leaders - the names of the first selector's numbers in the same condition
 */
export function numberName(arch: ArchName, selector: Selector, value: bigint, leaders: readonly string[]): string {
  return (
    prefixes(selector, leaders).reduce<string | undefined>(
      (found, prefix) => found ?? nameOf(arch, prefix, value),
      undefined,
    ) ?? digits(value)
  );
}

function prefixes({ argument, numberNames }: Selector, leaders: readonly string[]): readonly string[] {
  if (argument === 'request') return numberNames === undefined ? REQUESTS : [numberNames];
  const dependent = DEPENDENT[argument];
  if (dependent === undefined) return numberNames === undefined ? [] : [numberNames];
  const [prefix, ...others] = new Set(leaders.map((name) => dependent[name]));
  return prefix === undefined || others.length > 0 ? [] : [prefix];
}

function nameOf(arch: ArchName, prefix: string, value: bigint): string | undefined {
  const name = constantName(arch, prefix, value);
  // One with a sign would not be equal in the other width.
  return name !== undefined && constant(arch, name) === value ? name : undefined;
}

const digits = (value: bigint): string => (value < 10n ? `${value}` : `0x${value.toString(16)}`);

/** Names of the bits of a value: each its own where it has one, else one that has several (O_TMPFILE), else the number of what is left. */
export function flagNames(arch: ArchName, { flagNames: prefix, flags }: Selector, value: bigint): readonly string[] {
  const names: string[] = [];
  let unnamed = 0n;
  for (let bit = 1n; bit <= value; bit <<= 1n) {
    if ((value & bit) === 0n) continue;
    const name = prefix === undefined ? undefined : bitName(arch, prefix, bit);
    if (name === undefined) unnamed |= bit;
    else names.push(name);
  }
  if (unnamed === 0n || prefix === undefined) return unnamed === 0n ? names : [...names, digits(unnamed)];
  const whole = namesWithin(arch, prefix, value & flags, unnamed);
  const left = whole.reduce((bits, name) => bits & ~(constant(arch, name) ?? 0n), unnamed);
  return [...names, ...whole, ...(left === 0n ? [] : [digits(left)])];
}

function bitName(arch: ArchName, prefix: string, bit: bigint): string | undefined {
  if (FUTEX_FLAG.startsWith(prefix) && constant(arch, FUTEX_FLAG) === bit) return FUTEX_FLAG;
  return nameOf(arch, prefix, bit);
}

/** Constants of several bits that lie within a value and have some of those that have no name. */
function namesWithin(arch: ArchName, prefix: string, value: bigint, unnamed: bigint): readonly string[] {
  const found: string[] = [];
  let left = unnamed;
  for (const name of constantNames(arch)) {
    const bits = name.startsWith(prefix) ? (constant(arch, name) ?? 0n) : 0n;
    if (bits <= 0n || (bits & ~value) !== 0n || (bits & left) === 0n) continue;
    found.push(name);
    left &= ~bits;
  }
  return found;
}

/** Values of selectors: `AF_INET SOCK_STREAM|SOCK_CLOEXEC 0`. */
export function valuesText(arch: ArchName, selectors: readonly Selector[], values: readonly bigint[]): string {
  const [first] = selectors;
  const leaders = first === undefined ? [] : [numberName(arch, first, (values[0] ?? 0n) & first.number, [])];
  return selectors.map((selector, at) => valueText(arch, selector, values[at] ?? 0n, leaders)).join(' ');
}

function valueText(arch: ArchName, selector: Selector, value: bigint, leaders: readonly string[]): string {
  const number = value & selector.number;
  const flags = flagNames(arch, selector, value & selector.flags);
  const name = selector.number === 0n ? undefined : numberName(arch, selector, number, leaders);
  // A number of 0 says something where it has a name (O_RDONLY), or where there is nothing else.
  const isNamed = name !== undefined && (name !== '0' || flags.length === 0);
  return [...(isNamed ? [name] : []), ...flags].join('|') || '0';
}
