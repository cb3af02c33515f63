import { UnsupportedError } from '../base/errors.ts';

/** Reads BTF, the kernel's description of its own types (Documentation/bpf/btf.rst): as much as tracing programs need. */

const MAGIC = 0xeb9f;
const MEMBER_SIZE = 12;
const TYPE_SIZE = 12;
const STRUCT = 4;
const UNION = 5;
const TYPEDEF = 8;
const MODIFIERS: ReadonlySet<number> = new Set([TYPEDEF, 9, 10, 11, 18]);

/** Bytes behind a type's first twelve, by BTF_KIND_*: so many, and so many for each of its members. */
const FIXED: readonly number[] = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4];
const EACH: readonly number[] = [0, 0, 0, 0, MEMBER_SIZE, MEMBER_SIZE, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];

interface Member {
  readonly name: number;
  readonly type: number;
  /** In bytes. */
  readonly offset: number;
}

/** The types of a kernel. */
export class Btf {
  /** All of it: sections are aligned to words. */
  readonly #words: Uint32Array;
  readonly #bytes: Buffer;
  readonly #strings: number;
  /** Where each type is, in bytes; [0] is void. */
  readonly #types: Uint32Array;
  /** Numbers of the types that are looked for by name: some 10,000 of 100,000. */
  readonly #structs: number[] = [];
  readonly #typedefs: number[] = [];
  readonly #offsets = new Map<string, number>();

  /** @throws {UnsupportedError} it is not BTF, or has kinds of types that Selkie does not know */
  constructor(bytes: Uint8Array) {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    this.#words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >>> 2);
    this.#bytes = Buffer.from(aligned.buffer, aligned.byteOffset, aligned.byteLength);
    if (bytes.length < 24 || (this.#word(0) & 0xffff) !== MAGIC) throw unsupported('found no BTF header');
    const header = this.#word(4);
    this.#strings = header + this.#word(16);
    const begin = header + this.#word(8);
    this.#types = this.#walk(begin, begin + this.#word(12));
  }

  /** Finds where each type is. Hundred thousands: hence without a call in the loop. */
  #walk(begin: number, end: number): Uint32Array {
    const words = this.#words;
    const types = new Uint32Array((end - begin) / TYPE_SIZE + 1);
    let id = 1;
    for (let at = begin; at < end; id += 1) {
      const info = words[at / 4 + 1] ?? 0;
      const kind = (info >>> 24) & 0x1f;
      if (kind === STRUCT) this.#structs.push(id);
      else if (kind === TYPEDEF) this.#typedefs.push(id);
      types[id] = at;
      at += TYPE_SIZE + (FIXED[kind] ?? 0) + (EACH[kind] ?? 0) * (info & 0xffff);
    }
    return types;
  }

  /** The number of a typedef: what BPF_PROG_LOAD wants as attach_btf_id of a tracepoint. @throws {UnsupportedError} no such type */
  typedef(name: string): number {
    return this.#find(this.#typedefs, name);
  }

  /**
   * Where a member of a struct is, in bytes: `offset('dentry', 'd_name', 'name')` goes through structs within structs, also
   * through those without a name.
   *
   * @throws {UnsupportedError} no such type or member
   */
  offset(struct: string, ...path: readonly string[]): number {
    const key = [struct, ...path].join('.');
    const known = this.#offsets.get(key) ?? this.#findOffset(struct, path);
    this.#offsets.set(key, known);
    return known;
  }

  #findOffset(struct: string, path: readonly string[]): number {
    let type = this.#find(this.#structs, struct);
    let offset = 0;
    for (const name of path) {
      const member = this.#member(this.#resolve(type), name);
      if (member === undefined) throw unsupported(`found no ${name} in struct ${struct}`);
      offset += member.offset;
      type = member.type;
    }
    return offset;
  }

  #find(types: readonly number[], name: string): number {
    // Every string is there once, and types name themselves by its offset.
    const string = this.#bytes.indexOf(`\0${name}\0`, this.#strings, 'latin1') + 1 - this.#strings;
    const found = types.find((type) => this.#word(this.#types[type] ?? 0) === string);
    if (found === undefined) throw unsupported(`found no type ${name}`);
    return found;
  }

  #string(offset: number): string {
    const begin = this.#strings + offset;
    return this.#bytes.toString('latin1', begin, this.#bytes.indexOf(0, begin));
  }

  #member(type: number, name: string): Member | undefined {
    for (const member of this.#members(type)) {
      const memberName = this.#string(member.name);
      if (memberName === name) return member;
      if (memberName !== '') continue;
      const inner = this.#member(this.#resolve(member.type), name);
      if (inner !== undefined) return { ...inner, offset: member.offset + inner.offset };
    }
    return undefined;
  }

  #members(type: number): readonly Member[] {
    const at = this.#types[type] ?? 0;
    if (type === 0 || ![STRUCT, UNION].includes(this.#kind(at))) return [];
    const hasBitFields = this.#word(at + 4) >>> 31 === 1;
    return Array.from({ length: this.#count(at) }, (_, index) => {
      const member = at + TYPE_SIZE + MEMBER_SIZE * index;
      const bits = this.#word(member + 8);
      return {
        name: this.#word(member),
        type: this.#word(member + 4),
        offset: (hasBitFields ? bits & 0xff_ffff : bits) / 8,
      };
    });
  }

  /** Past const, volatile, typedef and their like. */
  #resolve(type: number): number {
    const at = this.#types[type] ?? 0;
    return type !== 0 && MODIFIERS.has(this.#kind(at)) ? this.#resolve(this.#word(at + 8)) : type;
  }

  #kind(at: number): number {
    return (this.#word(at + 4) >>> 24) & 0x1f;
  }

  #count(at: number): number {
    return this.#word(at + 4) & 0xffff;
  }

  #word(at: number): number {
    return this.#words[at >>> 2] ?? 0;
  }
}

function unsupported(reason: string): UnsupportedError {
  return new UnsupportedError(
    'eBPF',
    `Cannot read the kernel's types: /sys/kernel/btf/vmlinux: ${reason}: use the notify backend`,
    '5.12',
  );
}
