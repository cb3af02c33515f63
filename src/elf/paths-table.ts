/**
 * What launchers and stubs carry of `paths:`, little-endian:
 *
 *     0   least ABI: u32
 *     4   zero: u32, which is an empty path too
 *     8   rules, one behind the other, and a zero: u32
 *
 *     0   size of the rule: u32, a multiple of 8
 *     4   1 where the path may be missing: u32
 *     8   rights: u64
 *     16  path, zero-ended
 */
import type { PathRule, PathRules } from '../facts/landlock.ts';
import { alignUp, ByteReader, ByteWriter, damaged } from './bytes.ts';

/** Offsets that the stubs use. */
export const TABLE = { abi: 0, emptyPath: 4, rules: 8 } as const;
export const RULE = { size: 0, isOptional: 4, rights: 8, path: 16 } as const;

/** Encodes the table. Same rules, same bytes. */
export function encodePaths({ abi, rules }: PathRules): Uint8Array {
  const paths = rules.map(({ path }) => new TextEncoder().encode(path));
  const sizes = paths.map((path) => alignUp(RULE.path + path.length + 1, 8));
  const writer = new ByteWriter(new Uint8Array(TABLE.rules + sizes.reduce((sum, size) => sum + size, 0) + 4));
  writer.u32(TABLE.abi, abi);
  let at = TABLE.rules;
  for (const [index, { rights, isOptional }] of rules.entries()) {
    writer.u32(at + RULE.size, sizes[index] as number);
    writer.u32(at + RULE.isOptional, isOptional ? 1 : 0);
    writer.u64(at + RULE.rights, rights);
    writer.bytes.set(paths[index] as Uint8Array, at + RULE.path);
    at += sizes[index] as number;
  }
  return writer.bytes;
}

/** Reads a table. @throws ElfError `elf_damaged` */
export function decodePaths(bytes: Uint8Array): PathRules {
  const reader = new ByteReader(bytes);
  const what = 'the paths';
  const rules: PathRule[] = [];
  for (let at: number = TABLE.rules; ; ) {
    const size = reader.u32(at + RULE.size, what);
    if (size === 0) return { abi: reader.u32(TABLE.abi, what), rules };
    if (size < RULE.path) throw damaged(`a rule of ${what} has ${size} bytes`);
    const path = reader.slice(at + RULE.path, size - RULE.path, what);
    rules.push({
      path: new TextDecoder().decode(path.subarray(0, path.indexOf(0))),
      rights: reader.u64(at + RULE.rights, what),
      isOptional: reader.u32(at + RULE.isOptional, what) !== 0,
    });
    at += size;
  }
}
