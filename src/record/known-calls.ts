import { selectorsOf } from '../facts/selectors.ts';
import { syscallNumber } from '../facts/syscalls.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';
import { callKey } from '../observe/abi.ts';
import { FIRST_CALLS } from '../observe/boundary.ts';
import { mayInstall } from '../observe/installers.ts';
import { isOfSign } from '../observe/ready.ts';
import { Coverage } from './coverage.ts';
import type { Evidence } from './evidence.ts';
import type { ObserveOptions } from './notify.ts';
import type { Results } from './results.ts';
import { ofSetsAlone } from './seen-once.ts';

/** What a recording that adds to an earlier one need not see again: it runs natively, and is not counted. */

/** By which a thread changes or leaves its executable: the recorder must know. So must it of installations of filters. */
const ALWAYS_SEEN = ['execve', 'execveat', 'exit', 'exit_group'];

/**
 * Calls that nothing new can be learnt of: the policy permits them whatever their arguments; every executable of the evidence made them, as the
 * filter does not know executables; and whether this run makes them changes no estimate, because more than one run showed them or a set
 * permits them. Calls of this machine's own ABI alone.
 *
 * @param options - with a sign of readiness: calls of the service, without those in which the sign may be; with `args`: no call that has selectors,
 *   whose values evidence tells of even where any are permitted
 */
export function knownCalls(
  { policy, evidence }: Results,
  { ready, args = false }: Pick<ObserveOptions, 'ready' | 'args'> = {},
): readonly string[] {
  const [coverage, ofSets] = [new Coverage(policy), new Coverage(ofSetsAlone(policy))];
  const phase = ready === undefined ? 'program' : 'service';
  const executables = new Set(evidence.map(({ exe }) => exe));
  const isKnown = (name: string, lines: readonly Evidence[]): boolean => {
    const nr = syscallNumber(NATIVE_ARCH, name) ?? -1;
    const isCommon = new Set(lines.map(({ exe }) => exe)).size === executables.size;
    const isSettled = ofSets.fate(NATIVE_ARCH, nr) === 'permitted' || lines.some(({ runs }) => runs > 1);
    const isNeeded =
      ALWAYS_SEEN.includes(name) ||
      FIRST_CALLS.has(nr) ||
      mayInstall(callKey(NATIVE_ARCH, nr)) ||
      (ready !== undefined && isOfSign(ready, nr)) ||
      (args && selectorsOf(NATIVE_ARCH, name).length > 0);
    return isCommon && isSettled && !isNeeded && coverage.fate(NATIVE_ARCH, nr, phase) === 'permitted';
  };
  return [...linesByName(evidence, phase)].filter(([name, lines]) => isKnown(name, lines)).map(([name]) => name);
}

function linesByName(evidence: readonly Evidence[], phase: 'program' | 'service'): ReadonlyMap<string, Evidence[]> {
  const byName = new Map<string, Evidence[]>();
  for (const line of evidence) {
    const isOfPhase = phase === 'service' ? line.phase === 'service' : line.phase !== 'start';
    if (line.arch !== NATIVE_ARCH || line.syscall === undefined || !isOfPhase) continue;
    const lines = byName.get(line.syscall);
    if (lines) lines.push(line);
    else byName.set(line.syscall, [line]);
  }
  return byName;
}
