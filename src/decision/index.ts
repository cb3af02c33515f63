/**
 * The exact meaning of policies and BPF programs: `selkie/decision`.
 *
 * @example
 * const space = new Diagrams();
 * const [a, b] = comparable(space, diagramOfPolicy(space, resolved), diagramOfProgram(space, program));
 * if (a !== b) console.log(differenceLines(differences(space, [a, b]), { left: 'policy', right: 'program' }));
 */
export { canonical, canonicalAction, combineFilters, isPermitted, permitted } from './actions.ts';
export { CannotTellError } from './cannot-tell.ts';
export { comparable, type Difference, differences, isSubset, type Pair } from './compare.ts';
export { type Comparison, compareStacks } from './compare-stacks.ts';
export { Diagrams, FALSE, type Limits, type Node, TRUE } from './diagrams.ts';
export { differenceLines } from './difference-text.ts';
export { diagramOfPolicy, type PolicyMeaning } from './from-policy.ts';
export { diagramOfProgram } from './from-program.ts';
export { type Lifted, liftDiagram } from './lift/lift.ts';
export { diagramOfStack } from './stack.ts';
export { evaluate, findCall } from './witness.ts';
