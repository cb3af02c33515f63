import { SelkieError } from '../base/errors.ts';

/** An exact answer would take more than the stated limits. Never a guess instead: the message says what was too much. */
export class CannotTellError extends SelkieError {
  constructor(reason: string) {
    super('cannot_tell', `Cannot tell, because ${reason}`);
  }
}
