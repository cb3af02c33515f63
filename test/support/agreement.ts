// Holds a program against the reference semantics of its policy.
import type { Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import * as op from '../../src/bpf/opcode.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import { findCall } from '../../src/decision/witness.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { decide, holds } from '../../src/policy/decide.ts';
import type { ResolvedPolicy } from '../../src/policy/resolved.ts';

/** The first call on which they differ. */
export function firstDifference(
  program: Program,
  policy: ResolvedPolicy,
  calls: Iterable<SeccompData>,
): SeccompData | undefined {
  for (const call of calls) if (interpret(program, call).action !== decide(policy, call)) return call;
  return undefined;
}

export interface Agreement {
  readonly difference: SeccompData | undefined;
  /** Calls that a conditional rule decided. */
  readonly conditional: number;
  /** Returns that no call reached, by pc. */
  readonly unreached: readonly number[];
}

/** Like `firstDifference`, and counts what was reached. */
export function agreement(program: Program, policy: ResolvedPolicy, calls: readonly SeccompData[]): Agreement {
  const visited = new Uint8Array(program.length);
  let conditional = 0;
  for (const call of calls) {
    if (interpret(program, call, visited).action !== decide(policy, call))
      return { difference: call, conditional, unreached: [] };
    if (endsInCondition(policy, call)) conditional += 1;
  }
  const unreached = program.flatMap(({ code }, pc) =>
    (code & op.CLASS_MASK) === op.BPF_RET && visited[pc] === 0 ? [pc] : [],
  );
  return { difference: undefined, conditional, unreached };
}

/** For each return of a program a call that ends there; a return that no call reaches has none. */
export function callsOfEveryReturn(program: Program): SeccompData[] {
  const isReturn = ({ code }: Program[number]): boolean => (code & op.CLASS_MASK) === op.BPF_RET;
  const space = new Diagrams();
  const root = diagramOfProgram(
    space,
    program.map((instruction, pc) => (isReturn(instruction) ? { ...instruction, k: pc } : instruction)),
  );
  return program.flatMap((instruction, pc) => {
    if (!isReturn(instruction)) return [];
    const leaf = space.leaf(pc);
    return findCall(space, root, (each) => each === leaf) ?? [];
  });
}

function endsInCondition(policy: ResolvedPolicy, call: SeccompData): boolean {
  const rules = policy.arches.flatMap(({ calls }) => calls.get(call.nr) ?? []);
  const first = rules.find(({ condition }) => condition === undefined || holds(condition, call));
  return first?.condition !== undefined;
}

/** A call ready to paste. */
export function show({ nr, arch, instructionPointer, args }: SeccompData): string {
  const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
  return `nr ${hex(nr)} arch ${hex(arch)} ip ${hex(instructionPointer)} args ${args.map(hex).join(', ')}`;
}
