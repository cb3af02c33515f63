import type { Program } from '../bpf/instruction.ts';
import { permitted } from '../decision/actions.ts';
import { Diagrams, FALSE } from '../decision/diagrams.ts';
import { type Interval, intervalsOf, nodeAt } from '../decision/intervals.ts';
import { diagramOfStack } from '../decision/stack.ts';
import { RANK_ARCH, RANK_NR } from '../decision/words.ts';
import { ARCHES, type ArchName } from '../facts/arches.ts';
import { syscallNames, syscallNumber } from '../facts/syscalls.ts';
import { RISKS } from './risks.ts';

/** What filters leave open of one ABI. */
export interface Surface {
  /** Calls that are permitted for some arguments at least. */
  readonly open: readonly string[];
  /** Those of them that few programs need and that open much (risks.ts). */
  readonly risky: readonly string[];
  /** How many calls the ABI has. */
  readonly calls: number;
}

/**
 * Judges what several filters leave open together.
 *
 * @param newestFirst - the programs in force
 * @throws {CannotTellError}
 */
export function surfaceOf(newestFirst: readonly Program[], arch: ArchName): Surface {
  const space = new Diagrams();
  const root = permitted(space, diagramOfStack(space, newestFirst));
  const ofToken = nodeAt(intervalsOf(space, RANK_ARCH, root) as Interval[], ARCHES[arch].token);
  const numbers = intervalsOf(space, RANK_NR, ofToken) as Interval[];
  const names = syscallNames(arch);
  const open = names.filter((name) => nodeAt(numbers, syscallNumber(arch, name) as number) !== FALSE);
  const risky = new Set(RISKS.flatMap(({ calls }) => calls));
  return { open, risky: open.filter((name) => risky.has(name)), calls: names.length };
}
