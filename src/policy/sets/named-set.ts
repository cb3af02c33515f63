/** One call of a set, and why it is in it. */
export interface SetMember {
  readonly name: string;
  readonly reason: string;
}

/** A named set of calls: names only, never conditions or actions. */
export interface NamedSet {
  /** Without its `@`. */
  readonly name: string;
  /** What a program with these calls can do; floors say which runtime needs them. */
  readonly about: string;
  readonly members: readonly SetMember[];
}
