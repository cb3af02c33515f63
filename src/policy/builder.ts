import { PolicyError } from '../base/errors.ts';
import type { ArchName } from '../facts/arches.ts';
import type { PathList } from '../facts/landlock.ts';
import { parseAction } from './action.ts';
import { pathProblem } from './check-paths.ts';
import { parseCondition } from './condition.ts';
import type { Action, Policy, Rule, Section } from './model.ts';
import { parseCall } from './parse-call.ts';
import { nowhere, quote } from './source.ts';

/** What stands above the rules; actions as text, as in files. */
export interface PolicyOptions {
  /** For calls that no rule names: `errno(EPERM)`, `kill_process`, … */
  readonly default: string;
  readonly name?: string;
  readonly arches?: readonly ArchName[];
  /** Release it is made for, such as `6.18`; with `unknown` only. */
  readonly kernel?: string;
  readonly unknown?: string;
  readonly badArch?: string;
}

/**
 * Starts a policy in code, with the same texts as in files.
 *
 * @throws {PolicyError} `unknown_action`, and those of errnos and numbers
 * @throws {TypeError} for `kernel` without `unknown` or the other way round
 * @example
 * policy({ default: 'errno(EPERM)', arches: ['x86_64'] })
 *   .allow('read')
 *   .allow('socket', 'domain == AF_UNIX')
 *   .errno('ENOSYS', 'clone3')
 *   .build();
 */
export function policy(options: PolicyOptions): PolicyBuilder {
  const { kernel, unknown, name, arches } = options;
  if ((kernel === undefined) !== (unknown === undefined)) throw new TypeError('"kernel" and "unknown" go together');
  return new PolicyBuilder({
    selkie: 1,
    sets: 1,
    ...(name !== undefined && { name }),
    ...(arches && { arches: [...arches] }),
    default: parseAction(options.default),
    ...(kernel !== undefined && { kernel }),
    ...(unknown !== undefined && { unknown: parseAction(unknown) }),
    badArch: parseAction(options.badArch ?? 'kill_process'),
    syscalls: [],
  });
}

/** A policy under construction: each method gives a new builder and leaves the old one as it was. */
export class PolicyBuilder {
  readonly #policy: Policy;

  constructor(base: Policy) {
    this.#policy = base;
  }

  /** Adds a rule; `action` as in files. `call` is a name, `@set`, `syscall(n)` or `syscall(n..m)`. */
  rule(action: string, call: string, condition?: string): PolicyBuilder {
    return this.#add(parseAction(action), call, condition);
  }

  allow(call: string, condition?: string): PolicyBuilder {
    return this.#add({ kind: 'allow' }, call, condition);
  }

  log(call: string, condition?: string): PolicyBuilder {
    return this.#add({ kind: 'log' }, call, condition);
  }

  notify(call: string, condition?: string): PolicyBuilder {
    return this.#add({ kind: 'notify' }, call, condition);
  }

  /** `errno` is a name or a number from 1 to 4095. */
  errno(errno: string | number, call: string, condition?: string): PolicyBuilder {
    return this.rule(`errno(${errno})`, call, condition);
  }

  returnZero(call: string, condition?: string): PolicyBuilder {
    return this.#add({ kind: 'return_zero' }, call, condition);
  }

  /** `data` is what the tracer reads, from 0 to 65535. */
  trace(data: number, call: string, condition?: string): PolicyBuilder {
    return this.rule(`trace(${data})`, call, condition);
  }

  /** `data` is si_errno of the SIGSYS, from 0 to 65535. */
  trap(data: number, call: string, condition?: string): PolicyBuilder {
    return this.rule(`trap(${data})`, call, condition);
  }

  killThread(call: string, condition?: string): PolicyBuilder {
    return this.#add({ kind: 'kill_thread' }, call, condition);
  }

  killProcess(call: string, condition?: string): PolicyBuilder {
    return this.#add({ kind: 'kill_process' }, call, condition);
  }

  /** Adds a rule that is in force for exec and ld.so of the first image only. */
  start(action: string, call: string, condition?: string): PolicyBuilder {
    const start = [...(this.#policy.start ?? []), makeRule(parseAction(action), call, condition)];
    return new PolicyBuilder({ ...this.#policy, start });
  }

  /** Allows a call that `syscalls` permit once the program is ready too. */
  service(call: string, condition?: string): PolicyBuilder {
    const service = [...(this.#policy.service ?? []), makeRule({ kind: 'allow' }, call, condition)];
    return new PolicyBuilder({ ...this.#policy, service });
  }

  /** Adds a rule that is in force for one ABI alone, or for `other`, the calls that get bad_arch. */
  only(section: Section, action: string, call: string, condition?: string): PolicyBuilder {
    const rule = { ...makeRule(parseAction(action), call, condition), only: section };
    return new PolicyBuilder({ ...this.#policy, syscalls: [...this.#policy.syscalls, rule] });
  }

  /**
   * Permits a file, or a folder with all that is beneath it; files that no path permits are refused then.
   *
   * @param optional - no error where it is missing
   * @throws {PolicyError} `bad_path`
   */
  path(list: PathList, path: string, { optional = false }: { readonly optional?: boolean } = {}): PolicyBuilder {
    const problem = pathProblem(path);
    if (problem !== undefined) throw new PolicyError('bad_path', `${quote(path)} is not accepted: ${problem}`);
    const { paths } = this.#policy;
    const entries = [...(paths?.[list] ?? []), { path, isOptional: optional }];
    return new PolicyBuilder({ ...this.#policy, paths: { ...paths, [list]: entries } });
  }

  /** The policy; its names are looked up by `resolvePolicy`. */
  build(): Policy {
    return this.#policy;
  }

  #add(action: Action, call: string, condition: string | undefined): PolicyBuilder {
    const syscalls = [...this.#policy.syscalls, makeRule(action, call, condition)];
    return new PolicyBuilder({ ...this.#policy, syscalls });
  }
}

function makeRule(action: Action, call: string, condition: string | undefined): Rule {
  return {
    action,
    call: parseCall(call, nowhere),
    ...(condition !== undefined && { condition: parseCondition(condition) }),
  };
}
