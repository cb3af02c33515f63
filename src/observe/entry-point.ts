import { closeSync, openSync, readSync } from 'node:fs';
import { findExecutable } from '../kernel/command.ts';

/** Where the program of a command begins: the file whose entry ld.so jumps to at last. */
export interface EntryPoint {
  readonly path: string;
  /** Of its pointers. */
  readonly bits: 32 | 64;
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

const PT_INTERP = 3;

/** Ehdr of both classes: where its fields are (elf(5)). Phdr begins with its type in both. */
const CLASSES = {
  1: { bits: 32, phoff: 28, phentsize: 42 },
  2: { bits: 64, phoff: 32, phentsize: 54 },
} as const;

function elfEntry(path: string, head: Buffer): EntryPoint | undefined {
  const fields = head.toString('latin1', 0, 4) === '\x7fELF' && CLASSES[head[4] as 1 | 2];
  if (!fields) return undefined;
  const { bits, phoff, phentsize } = fields;
  try {
    const first = bits === 64 ? Number(head.readBigUInt64LE(phoff)) : head.readUInt32LE(phoff);
    const size = head.readUInt16LE(phentsize);
    const types = Array.from({ length: head.readUInt16LE(phentsize + 2) }, (_, index) =>
      head.readUInt32LE(first + index * size),
    );
    return { path, bits, isFirst: !types.includes(PT_INTERP) };
  } catch {
    // Headers that point out of the first page: no linker writes them.
    return undefined;
  }
}
