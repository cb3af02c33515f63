import { closeSync, openSync, readSync } from 'node:fs';
import { findExecutable } from '../kernel/command.ts';

/** Where the program of a command begins: the file whose entry ld.so jumps to at last, and the place in that file. */
export interface EntryPoint {
  readonly path: string;
  /** In the file, in bytes. */
  readonly offset: bigint;
  /** No ld.so comes before it: it is where execve(2) leads. */
  readonly isFirst: boolean;
}

/** As many interpreters of interpreters as fs/exec.c follows. */
const SCRIPTS = 5;
const HEAD = 4096;

/** Follows #! lines to an ELF file; undefined where that cannot be read, or something else (binfmt_misc) runs it. */
export function entryPointOf(path: string, depth = 0): EntryPoint | undefined {
  const head = readHead(path);
  if (head === undefined || depth > SCRIPTS) return undefined;
  if (head.toString('latin1', 0, 2) !== '#!') return elfEntry(path, head);
  const [, interpreter] = /^#![ \t]*([^ \t\n]+)/.exec(head.toString('utf8')) ?? [];
  return interpreter === undefined ? undefined : entryPointOf(interpreter, depth + 1);
}

/** What execvp(3) runs where the kernel says ENOEXEC is /bin/sh, which begins at its own entry. */
export function entryPointOfCommand(path: string): EntryPoint | undefined {
  return entryPointOf(path) ?? entryPointOf(findExecutable('/bin/sh'));
}

function readHead(path: string): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const head = Buffer.alloc(HEAD);
    return head.subarray(0, readSync(fd, head, 0, HEAD, 0));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const PT_LOAD = 1;
const PT_INTERP = 3;

/** Ehdr and Phdr of both classes: where their fields are (elf(5)). */
const CLASSES = {
  1: { phoff: 28, phentsize: 42, offset: 4, vaddr: 8, filesz: 16, word: 4 },
  2: { phoff: 32, phentsize: 54, offset: 8, vaddr: 16, filesz: 32, word: 8 },
} as const;

function elfEntry(path: string, head: Buffer): EntryPoint | undefined {
  const fields = head.toString('latin1', 0, 4) === '\x7fELF' && CLASSES[head[4] as 1 | 2];
  if (!fields) return undefined;
  const word = (at: number) => (fields.word === 8 ? head.readBigUInt64LE(at) : BigInt(head.readUInt32LE(at)));
  try {
    const entry = word(24);
    const segments = segmentsOf(head, fields, word);
    const isFirst = segments.every(({ type }) => type !== PT_INTERP);
    const within = segments.find(
      ({ type, vaddr, filesz }) => type === PT_LOAD && entry >= vaddr && entry - vaddr < filesz,
    );
    return within && { path, offset: entry - within.vaddr + within.offset, isFirst };
  } catch {
    // Headers that point out of the first page: no linker writes them.
    return undefined;
  }
}

function segmentsOf(head: Buffer, fields: (typeof CLASSES)[1 | 2], word: (at: number) => bigint) {
  const size = head.readUInt16LE(fields.phentsize);
  return Array.from({ length: head.readUInt16LE(fields.phentsize + 2) }, (_, index) => {
    const at = Number(word(fields.phoff)) + index * size;
    const [offset, vaddr, filesz] = [word(at + fields.offset), word(at + fields.vaddr), word(at + fields.filesz)];
    return { type: head.readUInt32LE(at), offset, vaddr, filesz };
  });
}
