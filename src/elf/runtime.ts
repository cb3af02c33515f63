import { ElfError } from '../base/errors.ts';
import { interpreterOf, readElf } from './read.ts';

/** Recognises the C library and the language runtime of an executable by its bytes, stripped ones too. */

export interface Runtime {
  readonly libc: 'glibc' | 'musl' | undefined;
  readonly language: 'rust' | 'python' | 'node' | 'java' | undefined;
}

/** glibc's tunables are in every static program since 2.26 (elf/dl-tunables.c). */
const GLIBC_MARK = 'GLIBC_TUNABLES';
/** The sign table of musl's printf (src/stdio/vfprintf.c), in static programs that print. */
const MUSL_MARK = '-+   0X0x';
/** The standard library asks for it, and names its own sources in panics. */
const RUST_MARKS = ['RUST_BACKTRACE', 'library/std/src/'];
/** What the main function of `python` calls, in it or in libpython (Programs/python.c). */
const PYTHON_MARK = 'Py_BytesMain';

/** Name of a script that Node starts with, in its embedded sources (lib/internal/bootstrap/node.js). */
const NODE_MARK = 'internal/bootstrap/node';

/** What `java`, `javac` and the like call of libjli, and what a program that makes a Java virtual machine of its own calls of libjvm (jni.h). */
const JAVA_MARKS = ['JLI_Launch', 'JNI_CreateJavaVM'];

/** @returns what is recognised; undefined for what is no 64-bit little-endian ELF executable */
export function detectRuntime(bytes: Uint8Array): Runtime | undefined {
  let interpreter: string | undefined;
  try {
    interpreter = interpreterOf(readElf(bytes));
  } catch (error) {
    if (error instanceof ElfError) return undefined;
    throw error;
  }
  return { libc: libcOf(bytes, interpreter), language: languageOf(bytes) };
}

function libcOf(bytes: Uint8Array, interpreter: string | undefined): Runtime['libc'] {
  if (interpreter !== undefined)
    return /ld-musl/.test(interpreter) ? 'musl' : /ld-linux/.test(interpreter) ? 'glibc' : undefined;
  if (contains(bytes, GLIBC_MARK)) return 'glibc';
  return contains(bytes, MUSL_MARK) ? 'musl' : undefined;
}

function languageOf(bytes: Uint8Array): Runtime['language'] {
  if (RUST_MARKS.every((mark) => contains(bytes, mark))) return 'rust';
  if (contains(bytes, PYTHON_MARK)) return 'python';
  if (contains(bytes, NODE_MARK)) return 'node';
  return JAVA_MARKS.some((mark) => contains(bytes, mark)) ? 'java' : undefined;
}

function contains(bytes: Uint8Array, text: string): boolean {
  const wanted = new TextEncoder().encode(text);
  const [first = 0] = wanted;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1))
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return true;
  return false;
}
