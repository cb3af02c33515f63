import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Confinement, confineProcess } from './apply/confine.ts';
import { withNodeFloor } from './apply/node-floor.ts';
import { UnsupportedError } from './base/errors.ts';
import { unsupportedMachine } from './kernel/libc.ts';
import { NATIVE_ARCH } from './kernel/native.ts';
import { loadPolicy } from './load/filter.ts';
import { type PolicyBuilder, policy } from './policy/builder.ts';
import type { Policy } from './policy/model.ts';
import { permittedLines } from './policy/permitted.ts';

export type { Confinement, Narrowing } from './apply/confine.ts';

/** How to confine, whatever the policy comes from. */
export interface ConfineOptions {
  /** Add what Node itself may need in any run (`@node`); default true. */
  readonly floor?: boolean;
  /** List on stderr what is permitted, one `[+] call` a line. */
  readonly print?: boolean;
}

/** A policy in one line. A rule is a call, `@set` or `syscall(n)`, alone or as `call: condition`. */
export interface ConfineRules extends ConfineOptions {
  readonly allow: readonly string[];
  /** Refused with EPERM although a set allows it. */
  readonly deny?: readonly string[];
  /** Of what is allowed, what remains once `narrow` is called. */
  readonly service?: readonly string[];
  /** The action for every call that no rule names; default `errno(EPERM)`. */
  readonly default?: string;
}

/**
 * Confines this process: all threads, at once, for ever. A second time, a second filter narrows the first. Synchronous; nothing is
 * half-applied, but for no_new_privs, which stays set once tried.
 *
 * @param source - a policy's path or file URL, a `Policy`, or rules
 * @returns among others `narrow`, which puts the policy's `service:` in force when the program is ready
 * @throws {UnsupportedError} not Linux on x86-64 or AArch64, or the kernel cannot
 * @throws {PolicyError | UsageError} the policy is wrong or cannot be read, or holds what cannot be enforced here
 * @throws {SyscallError} the kernel or an outer filter refuses
 * @example
 * confine({ allow: ['@stdio', '@files', 'socket: domain == AF_UNIX'], print: true });
 */
export function confine(source: string | URL | Policy | ConfineRules, options: ConfineOptions = {}): Confinement {
  const problem = unsupportedMachine();
  if (problem !== undefined)
    throw new UnsupportedError(
      'confine',
      `Cannot confine this process: ${problem}: run it there, or in a Linux container`,
    );
  const own = policyOf(source);
  const { floor = true, print = false } =
    typeof source === 'object' && 'allow' in source ? { ...source, ...options } : options;
  const whole = floor ? withNodeFloor(own) : own;
  if (print)
    writeSync(
      2,
      permittedLines({ ...whole, start: [] }, whole.arches ?? [NATIVE_ARCH])
        .map((line) => `[+] ${line}\n`)
        .join(''),
    );
  return confineProcess(whole);
}

function policyOf(source: string | URL | Policy | ConfineRules): Policy {
  if (typeof source === 'string') return loadPolicy(source);
  if (source instanceof URL) return loadPolicy(fileURLToPath(source));
  return isRules(source) ? fromRules(source) : source;
}

function isRules(source: string | URL | Policy | ConfineRules): source is ConfineRules {
  if (typeof source !== 'object' || source === null)
    throw new TypeError('confine: wanted a policy file, a policy, or { allow: [...] }');
  if ('allow' in source && Array.isArray(source.allow)) return true;
  if (source instanceof URL || 'syscalls' in source) return false;
  throw new TypeError('confine: found neither "allow" nor a policy: write confine({ allow: ["read", ...] })');
}

function fromRules(rules: ConfineRules): Policy {
  let built = policy({ default: rules.default ?? 'errno(EPERM)' });
  for (const text of rules.allow) built = add(built, 'allow', text);
  for (const text of rules.deny ?? []) built = add(built, 'errno(EPERM)', text);
  for (const text of rules.service ?? []) built = built.service(...splitRule(text));
  return built.build();
}

function add(built: PolicyBuilder, action: string, text: string): PolicyBuilder {
  return built.rule(action, ...splitRule(text));
}

/** `call: condition`, or a call alone. */
function splitRule(text: string): [call: string, condition?: string] {
  const colon = text.indexOf(': ');
  return colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 2)];
}
