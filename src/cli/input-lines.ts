import { readSync } from 'node:fs';
import { UsageError } from '../base/errors.ts';

const CHUNK_SIZE = 1 << 16;
/** In UTF-16 units: what holds no newline for so long is no list of calls. */
const LONGEST_LINE = 1 << 16;

/**
 * The lines of a descriptor as they come, without their newlines, in memory that does not grow with the input.
 *
 * @throws {UsageError} `line_too_long`
 */
export function* inputLines(descriptor: number): Generator<string, void, undefined> {
  const chunk = new Uint8Array(CHUNK_SIZE);
  const decoder = new TextDecoder();
  let rest = '';
  for (let line = 1; ; ) {
    const size = readChunk(descriptor, chunk);
    const lines = (rest + decoder.decode(chunk.subarray(0, size), { stream: size > 0 })).split('\n');
    rest = lines.pop() as string;
    yield* lines;
    line += lines.length;
    if (rest.length > LONGEST_LINE)
      throw new UsageError('line_too_long', `Cannot read line ${line}: it has more than ${LONGEST_LINE} characters`);
    if (size > 0) continue;
    if (rest !== '') yield rest;
    return;
  }
}

/** Bytes read; 0 at the end. */
function readChunk(descriptor: number, chunk: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, chunk);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      // Somebody else made the pipe non-blocking: wait a little and go on.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
