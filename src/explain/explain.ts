import { PolicyError } from '../base/errors.ts';
import { encodeProgram } from '../bpf/codec.ts';
import { compilePolicy } from '../compile/compile-policy.ts';
import type { ArchName } from '../facts/arches.ts';
import { exitCodeOf, type Supervised, superviseCommand } from '../observe/session.ts';
import type { Policy } from '../policy/model.ts';
import { type Explanation, explain } from './describe.ts';
import { explainingProgram, untoldActions } from './filter.ts';
import type { Denial } from './server.ts';

/** The ABI of the commands that this version runs. */
const TARGET: ArchName = 'x86_64';

export interface ExplainOptions {
  readonly policy: Policy;
  /** The command and its arguments; the first word is searched in PATH. */
  readonly command: readonly string[];
  /** Called for the first denial of each kind, while the command runs. */
  readonly onDenial?: (explanation: Explanation) => void;
}

/** What a command was denied, and how it ended. */
export interface Explained extends Supervised<readonly Explanation[]> {
  /** The policy's actions that may have ended the command by SIGSYS and that nobody is told of: `kill_thread`, `trap`. */
  readonly untold: readonly string[];
}

/** 128 + SIGSYS, as shells say it of their own commands too. */
const SIGSYS_EXIT = 159;

/**
 * Runs a command under a policy and explains each denial. What the policy allows stays in the kernel; what it denies is answered as it says.
 *
 * @throws {PolicyError | ProgramError} the policy cannot be compiled, or is for other ABIs; `superviseCommand` says the rest
 */
export async function explainCommand(options: ExplainOptions): Promise<Explained> {
  const arches = options.policy.arches ?? [TARGET];
  if (!arches.includes(TARGET)) {
    const problem = `this policy is for ${arches.join(', ')}, what it shall confine is ${TARGET}`;
    throw new PolicyError('wrong_arch', `${problem}: add ${TARGET} to arches`);
  }
  const { program } = compilePolicy(options.policy, { arches, includeStart: true, probe: true });
  const supervised = await superviseCommand<readonly Denial[], Denial>({
    command: options.command,
    worker: 'explain',
    workerOptions: { program: encodeProgram(program) },
    filter: encodeProgram(explainingProgram(program)),
    purpose: 'explain',
    nothing: [],
    onEvent: (denial) => options.onDenial?.(explain(denial, arches)),
  });
  const observed = supervised.observed.map((denial) => explain(denial, arches));
  const isUntold =
    exitCodeOf(supervised.status) === SIGSYS_EXIT && !observed.some(({ answer }) => answer === 'kill_process');
  return { ...supervised, observed, untold: isUntold ? untoldActions(program) : [] };
}
