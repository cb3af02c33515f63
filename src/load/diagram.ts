import { combineFilters } from '../decision/actions.ts';
import type { Diagrams, Node } from '../decision/diagrams.ts';
import { diagramOfProgram } from '../decision/from-program.ts';
import type { LoadedFilter } from './filter.ts';

/**
 * What a loaded filter means: of a process, what its filters do together.
 *
 * @throws {CannotTellError}
 */
export function diagramOfFilter(space: Diagrams, { stack }: Pick<LoadedFilter, 'stack'>): Node {
  const diagrams = stack.map((program) => diagramOfProgram(space, program));
  const [only] = diagrams;
  return only !== undefined && diagrams.length === 1 ? only : combineFilters(space, diagrams);
}
