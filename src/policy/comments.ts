import type { KeyComments } from './model.ts';
import type { Comment } from './tokens.ts';

/** Comments of a text, handed out in order to the keys and rules they stand at. */
export interface CommentsByLine {
  /** Comments above `line` that nobody took yet, and the one behind the token on `line`. */
  take(line: number): KeyComments;
  /** All that is left. */
  rest(): string | undefined;
}

/** Hands out comments; callers ask in ascending order of lines. */
export function commentsByLine(comments: readonly Comment[]): CommentsByLine {
  let next = 0;
  const pull = (wanted: (comment: Comment) => boolean): string | undefined => {
    const texts: string[] = [];
    for (let comment = comments[next]; comment && wanted(comment); comment = comments[next]) {
      texts.push(comment.text);
      next += 1;
    }
    return texts.length === 0 ? undefined : texts.join('\n');
  };
  return {
    take(line) {
      const before = pull((comment) => comment.line < line);
      const behind = pull((comment) => comment.line === line && !comment.alone);
      return { ...(before !== undefined && { before }), ...(behind !== undefined && { behind }) };
    },
    rest: () => pull(() => true),
  };
}
