import { PolicyError } from '../base/errors.ts';
import { encodeProgram } from '../bpf/codec.ts';
import { compile, compileOnNotice } from '../compile/compile.ts';
import type { ArchName } from '../facts/arches.ts';
import { requireX8664 } from '../kernel/libc.ts';
import { exitCodeOf, type Supervised, superviseCommand } from '../observe/session.ts';
import { policy as newPolicy } from '../policy/builder.ts';
import type { Policy, Rule } from '../policy/model.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import type { ResolvedPolicy } from '../policy/resolved.ts';
import { type Explanation, explain } from './describe.ts';
import { explainingProgram, notifyingProgram, untoldActions } from './filter.ts';
import type { Denial, Denials } from './server.ts';

/** The ABI of the commands that this version runs. */
const TARGET: ArchName = 'x86_64';

export interface ExplainOptions {
  /** Absent: only filters that programs bring themselves count. */
  readonly policy?: Policy;
  /** The command and its arguments; the first word is searched in PATH. */
  readonly command: readonly string[];
  /**
   * Explain also what is denied by filters that programs install themselves, which costs some 10 µs for every call; always so without a policy.
   * Otherwise such filters are in force, but nothing is said of what they deny.
   */
  readonly ownFilters?: boolean;
  /** Called for the first denial of each kind, while the command runs. */
  readonly onDenial?: (explanation: Explanation) => void;
}

/** What was denied, each kind once, and how the command ended. */
export interface Explained extends Omit<Supervised<unknown>, 'observed'> {
  readonly explanations: readonly Explanation[];
  /** How many filters programs installed; 0 where they were not looked at. */
  readonly ownFilters: number;
  /** Of some thread it was not sure which of those it had. */
  readonly isApproximate: boolean;
  /** The policy's actions that may have ended the command by SIGSYS and that nobody is told of: `kill_thread`, `trap`. */
  readonly untold: readonly string[];
}

const NOTHING: Denials = { denials: [], ownFilters: 0, isApproximate: false };
/** 128 + SIGSYS, as shells say it of their own commands too. */
const SIGSYS_EXIT = 159;

/**
 * Runs a command and explains each denial. Without own filters, what the policy allows stays in the kernel. What is denied is answered as
 * the policy or the program's own filter says: of several the most restrictive answer, and of equal ones the newest.
 *
 * @throws {PolicyError | ProgramError} the policy cannot be compiled, or is for other ABIs; `superviseCommand` says the rest
 */
export async function explainCommand(options: ExplainOptions): Promise<Explained> {
  requireX8664('explain denials', 'record the command, and see what its policy lacks');
  const { policy = newPolicy({ default: 'allow', arches: [TARGET, 'i386', 'x32'] }).build(), command } = options;
  const arches = policy.arches ?? [TARGET];
  if (!arches.includes(TARGET)) {
    const problem = `this policy is for ${arches.join(', ')}, what it shall confine is ${TARGET}`;
    throw new PolicyError('wrong_arch', `${problem}: add ${TARGET} to arches`);
  }
  const [main, withStart] = [false, true].map((includeStart) => resolvePolicy(policy, { arches, includeStart })) as [
    ResolvedPolicy,
    ResolvedPolicy,
  ];
  const program = compile(withStart, { probe: true });
  const rules = {
    arches,
    conditional: conditionalCalls(policy),
    start: new Set((policy.start ?? []).flatMap(calledName)),
  };
  const hasPolicy = options.policy !== undefined;
  const isForAll = options.ownFilters === true || !hasPolicy;
  const { observed, ...rest } = await superviseCommand<Denials, Denial>({
    command,
    worker: 'explain',
    workerOptions: {
      program: encodeProgram(program),
      afterExec: encodeProgram(compile(main, { probe: true })),
      notified: isForAll ? 'all' : 'denied',
      hasPolicy,
    },
    filter: encodeProgram(isForAll ? notifyingProgram(program) : explainingProgram(compileOnNotice(main, withStart))),
    purpose: 'explain',
    nothing: NOTHING,
    onEvent: (denial) => options.onDenial?.(explain(denial, rules)),
  });
  const { denials, ...own } = observed;
  const explanations = denials.map((denial) => explain(denial, rules));
  const isUntold =
    !isForAll &&
    exitCodeOf(rest.status) === SIGSYS_EXIT &&
    !explanations.some(({ answer }) => answer === 'kill_process');
  return { explanations, ...own, ...rest, untold: isUntold ? untoldActions(program) : [] };
}

function conditionalCalls({ syscalls, start = [] }: Policy): ReadonlySet<string> {
  const rules = [...syscalls, ...start].filter(({ condition }) => condition !== undefined);
  return new Set(rules.flatMap(calledName));
}

const calledName = ({ call }: Rule): readonly string[] => (call.kind === 'name' ? [call.name] : []);
