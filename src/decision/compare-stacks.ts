import type { Program } from '../bpf/instruction.ts';
import { ARCH_NAMES, ARCHES } from '../facts/arches.ts';
import { OFFSET_ARCH, type SeccompData } from '../facts/seccomp.ts';
import { syscallName } from '../facts/syscalls.ts';
import { CannotTellError } from './cannot-tell.ts';
import { archOf, comparable, type Difference, differences, differing, isSubset, type Pair } from './compare.ts';
import { Diagrams, FALSE, type Node } from './diagrams.ts';
import { actionOfStack, searchDifference } from './search.ts';
import { diagramOfStack } from './stack.ts';
import { Vectors } from './vectors.ts';
import { findCall } from './witness.ts';

export interface Comparison {
  /** None: they do the same for every call. */
  readonly differences: readonly Difference[];
  /** False: more calls differ than can be listed, and `differences` has one of them. */
  readonly isComplete: boolean;
  /** Whether each permits calls that the other does not; undefined: that takes more than the limits. */
  readonly permitsMore: { readonly left: boolean; readonly right: boolean } | undefined;
}

/**
 * Compares what the filters of two processes do, each with the one that was installed last first. Where an exact answer takes more than the
 * limits of a space, a call that the interpreter shows to be different is as good; only where none is found either it is not told.
 *
 * @throws {CannotTellError}
 */
export function compareStacks(left: readonly Program[], right: readonly Program[]): Comparison {
  try {
    const space = new Diagrams();
    const pair = comparable(space, diagramOfStack(space, left), diagramOfStack(space, right));
    if (pair[0] === pair[1]) return { differences: [], isComplete: true, permitsMore: { left: false, right: false } };
    return comparePair(space, pair, (call) => onlyExample(left, right, call));
  } catch (error) {
    const example = error instanceof CannotTellError ? searchDifference(left, right) : undefined;
    if (!example) throw error;
    return { differences: [onlyExample(left, right, example)], isComplete: false, permitsMore: undefined };
  }
}

function comparePair(space: Diagrams, pair: Pair, ofExample: (example: SeccompData) => Difference): Comparison {
  const example = exampleOf(space, differing(space, pair));
  const permitsMore = { left: !isSubset(space, pair), right: !isSubset(space, [pair[1], pair[0]]) };
  try {
    return { differences: differences(space, pair), isComplete: true, permitsMore };
  } catch (error) {
    if (!(error instanceof CannotTellError)) throw error;
    return { differences: [ofExample(example)], isComplete: false, permitsMore };
  }
}

/** A call of an ABI that we know, if there is one. */
function exampleOf(space: Diagrams, where: Node): SeccompData {
  const vectors = new Vectors(space);
  const token = vectors.word(OFFSET_ARCH);
  const ofAbi = ARCH_NAMES.map((arch) =>
    space.and(vectors.equal(token, vectors.constant(ARCHES[arch].token)), where),
  ).find((calls) => calls !== FALSE);
  return findCall(space, ofAbi ?? where) as SeccompData;
}

function onlyExample(left: readonly Program[], right: readonly Program[], example: SeccompData): Difference {
  const arch = archOf(example.arch, example.nr);
  return {
    arch,
    first: example.nr,
    last: example.nr,
    name: arch && syscallName(arch, example.nr),
    condition: undefined,
    isExact: false,
    left: actionOfStack(left, example),
    right: actionOfStack(right, example),
    example,
  };
}
