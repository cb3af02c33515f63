import { type Place, PolicyError } from '../base/errors.ts';
import type { Rule } from './model.ts';

/** Gives the place of an offset (UTF-16 units from 0) in some text, or nothing for text that stands in no file. */
export type Locate = (offset: number) => Place | undefined;

/** For text that stands in no file: errors then have no place. */
export const nowhere: Locate = () => undefined;

/** Throws a PolicyError for the token at `offset`. */
export function fail(code: string, problem: string, locate: Locate, offset: number): never {
  throw new PolicyError(code, problem, locate(offset));
}

/** Makes the look-up from offsets in `text` to lines and columns, both from 1; a column counts UTF-16 units. */
export function locator(text: string, file?: string): (offset: number) => Place {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    const place = { line: low + 1, column: offset - (starts[low] as number) + 1 };
    return file === undefined ? place : { file, ...place };
  };
}

/** Quotes a piece of the user's text for a message, shortened so that the message stays one readable line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** Where another rule stands, seen from `here`: `line 4`, `other.yaml:4`, `an earlier rule`; with its set. */
export function describeRule({ call, place }: Rule, here: Place | undefined): string {
  const set = call.kind === 'set' ? ` ("@${call.name}")` : '';
  if (!place) return `an earlier rule${set}`;
  const sameFile = place.file === here?.file;
  return `${sameFile ? `line ${place.line}` : `${place.file ?? 'policy'}:${place.line}`}${set}`;
}
