import { mergeEvidence } from './evidence.ts';
import { newRunBound } from './history.ts';
import type { Recording } from './record.ts';
import type { WrittenRecording } from './results.ts';

/** Recording a command again and again. */

export interface Rounds {
  /** Runs of this recording, or the most of them. */
  readonly most: number;
  /** Ends earlier where newRunBound is not more than this; also counts earlier runs. */
  readonly bound?: number;
}

/** What `--until-stable` wants: some 36 runs where the first shows all. */
export const STABLE_BOUND = 0.1;
export const STABLE_MOST = 100;

/** Whether another run is wanted after `done` of them. A fault of Selkie's own ends it. */
export function wantsMore({ recording, history }: WrittenRecording, done: number, { most, bound }: Rounds): boolean {
  if (recording.error !== undefined || done >= most) return false;
  return bound === undefined || history === undefined || newRunBound(history) > bound;
}

/** What two recordings of a command saw together. The status is the first that is not 0. */
export function joinRounds(earlier: Recording, later: Recording): Recording {
  const isGood = 'code' in earlier.status && earlier.status.code === 0;
  return {
    ...later,
    status: isGood ? later.status : earlier.status,
    ...(later.isReady === undefined ? {} : { isReady: later.isReady && earlier.isReady !== false }),
    calls: earlier.calls + later.calls,
    images: [...new Set([...earlier.images, ...later.images])],
    unseen: [...new Set([...earlier.unseen, ...later.unseen])],
    evidence: mergeEvidence(earlier.evidence, later.evidence),
  };
}
