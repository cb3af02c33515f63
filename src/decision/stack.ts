import type { Program } from '../bpf/instruction.ts';
import { combineFilters } from './actions.ts';
import type { Diagrams, Node } from './diagrams.ts';
import { diagramOfProgram } from './from-program.ts';

/**
 * What the filters of a process do together; of one alone, what it returns with all data.
 *
 * @param newestFirst - programs, the one that was installed last first; none permits every call
 * @throws {CannotTellError}
 */
export function diagramOfStack(space: Diagrams, newestFirst: readonly Program[]): Node {
  const diagrams = newestFirst.map((program) => diagramOfProgram(space, program));
  const [only] = diagrams;
  return only !== undefined && diagrams.length === 1 ? only : combineFilters(space, diagrams);
}
