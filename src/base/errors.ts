/**
 * Faults that Selkie throws on purpose. `code` is API; the message is for people.
 * Message shape: Cannot + action + quoted object, colon, place, colon, found and wanted. No final stop.
 */

/** Base of every error that Selkie throws on purpose. */
export class SelkieError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A place in a text: lines and columns count from 1. */
export interface Place {
  readonly file?: string;
  readonly line: number;
  readonly column: number;
}

/** A policy that cannot be read, or that contradicts itself. */
export class PolicyError extends SelkieError {
  readonly place: Place | undefined;
  /** `problem` is the sentence without its place; `message` has both. */
  readonly problem: string;
  constructor(code: string, problem: string, place?: Place, options?: ErrorOptions) {
    super(code, place ? `${place.file ?? 'policy'}:${place.line}:${place.column}: ${problem}` : problem, options);
    this.place = place;
    this.problem = problem;
  }
}

/** A BPF program that the kernel would refuse, or that cannot be built. `pc` counts instructions from 0. */
export class ProgramError extends SelkieError {
  readonly pc: number | undefined;
  constructor(code: string, message: string, pc?: number, options?: ErrorOptions) {
    super(code, pc === undefined ? message : `instruction ${pc}: ${message}`, options);
    this.pc = pc;
  }
}

/** An ELF file that cannot be read, sealed or unsealed. */
export class ElfError extends SelkieError {}

/** The kernel refused a call. `errno` is the number, `errnoName` its name. */
export class SyscallError extends SelkieError {
  readonly call: string;
  readonly errno: number;
  constructor(call: string, errno: number, message: string, options?: ErrorOptions) {
    super('syscall_failed', message, options);
    this.call = call;
    this.errno = errno;
  }
}

/** Not possible on this kernel, machine or system; `since` is the least kernel release that has it. */
export class UnsupportedError extends SelkieError {
  readonly feature: string;
  readonly since: string | undefined;
  constructor(feature: string, message: string, since?: string, options?: ErrorOptions) {
    super('unsupported', message, options);
    this.feature = feature;
    this.since = since;
  }
}

/** The user asked for something that makes no sense: wrong arguments, missing files, an output that exists. */
export class UsageError extends SelkieError {}
