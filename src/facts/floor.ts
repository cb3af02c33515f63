/** One call of a floor. */
export interface FloorCall {
  /** Name in the system call table of x86_64. */
  readonly name: string;
  /** Why any run may need it; for `fallback`, what its callers do instead. */
  readonly reason: string;
  /** First and last version of the runtime that calls it (24 = Go 1.24, Node 24); absent: all that Selkie knows. */
  readonly since?: number;
  readonly until?: number;
}
