import { UnsupportedError } from '../base/errors.ts';

/** Reads BTF, the kernel's description of its own types (Documentation/bpf/btf.rst): as much as tracing programs need. */

const MAGIC = 0xeb9f;
const MEMBER_SIZE = 12;
const TYPE_SIZE = 12;
const ARRAY = 3;
const STRUCT = 4;
const UNION = 5;
const TYPEDEF = 8;
const MODIFIERS: ReadonlySet<number> = new Set([TYPEDEF, 9, 10, 11, 18]);

/** Bytes behind a type's first twelve: a constant, or so many for each of its members. By BTF_KIND_*. */
const EXTRA: ReadonlyMap<number, readonly [fixed: number, each: number]> = new Map([
  [1, [4, 0]],
  [ARRAY, [12, 0]],
  [STRUCT, [0, MEMBER_SIZE]],
  [UNION, [0, MEMBER_SIZE]],
  [6, [0, 8]],
  [13, [0, 8]],
  [14, [4, 0]],
  [15, [0, 12]],
  [17, [4, 0]],
  [19, [0, 12]],
]);

interface Member {
  readonly name: number;
  readonly type: number;
  /** In bytes. */
  readonly offset: number;
}

/** The types of a kernel. */
export class Btf {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  readonly #strings: number;
  /** Where each type is; [0] is void. */
  readonly #types: number[] = [0];
  readonly #offsets = new Map<string, number>();

  /** @throws {UnsupportedError} it is not BTF, or has kinds of types that Selkie does not know */
  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 24 || this.#view.getUint16(0, true) !== MAGIC) throw unsupported('found no BTF header');
    const header = this.#word(4);
    this.#strings = header + this.#word(16);
    let at = header + this.#word(8);
    for (const end = at + this.#word(12); at < end; ) {
      this.#types.push(at);
      const [fixed, each] = EXTRA.get(this.#kind(at)) ?? [0, 0];
      at += TYPE_SIZE + fixed + each * this.#count(at);
    }
  }

  /** The number of a typedef: what BPF_PROG_LOAD wants as attach_btf_id of a tracepoint. @throws {UnsupportedError} no such type */
  typedef(name: string): number {
    return this.#find(name, [TYPEDEF]);
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
    let type = this.#find(struct, [STRUCT]);
    let offset = 0;
    for (const name of path) {
      const member = this.#member(this.#resolve(type), this.#string(name));
      if (member === undefined) throw unsupported(`found no ${name} in struct ${struct}`);
      offset += member.offset;
      type = member.type;
    }
    return offset;
  }

  #find(name: string, kinds: readonly number[]): number {
    const string = this.#string(name);
    const found = this.#types.findIndex(
      (at, id) => id > 0 && this.#word(at) === string && kinds.includes(this.#kind(at)),
    );
    if (found < 0) throw unsupported(`found no type ${name}`);
    return found;
  }

  /** The offset of a string, by which types name themselves: each is there once. */
  #string(name: string): number {
    const found = this.#bytes.indexOf(`\0${name}\0`, this.#strings, 'latin1');
    return found < 0 ? -1 : found + 1 - this.#strings;
  }

  #member(type: number, name: number): Member | undefined {
    for (const member of this.#members(type)) {
      if (member.name === name) return member;
      if (member.name !== 0) continue;
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
    return this.#view.getUint32(at, true);
  }
}

function unsupported(reason: string): UnsupportedError {
  return new UnsupportedError(
    'eBPF',
    `Cannot read the kernel's types: /sys/kernel/btf/vmlinux: ${reason}: use the notify backend`,
    '5.12',
  );
}
