/**
 * Recognises Go executables and their Go version from the file's bytes alone: the linker's build info blob stays in
 * stripped (`-ldflags="-s -w"`, strip), PIE and trimmed binaries, as the running program reads it.
 * Sources of the layout: Go's debug/buildinfo (readRawBuildInfo) and cmd/link/internal/ld (buildinfo); elf(5).
 * The file may be large: nothing but short strings is copied, and every read is checked against the file's end.
 */

/** What a Go executable says about itself. */
export interface GoBuild {
  /** Version as the linker wrote it, without experiments: `go1.26.8`, `devel`. */
  readonly version: string;
  /** Whether a C library lives in the process (cgo, or a dynamic import without cgo), so that its calls count too. */
  readonly cgo: boolean;
}

/** A part of the file with its address when loaded; `size` counts bytes of the file. */
interface Range {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

interface Image {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Size of an address: 8, or 4 for ELFCLASS32. */
  readonly wordSize: 4 | 8;
  readonly loads: readonly (Range & { readonly executable: boolean })[];
  readonly dynamic: Range | undefined;
  readonly interpreter: boolean;
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PF_X = 1;
const DT_NULL = 0;
const DT_NEEDED = 1;

/** "\xff Go buildinf:" */
const MAGIC: readonly number[] = [0xff, ...ascii(' Go buildinf:')];
const MAGIC_ALIGNMENT = 16;
const HEADER_SIZE = 32;
const POINTER_SIZE_OFFSET = 14;
const FLAGS_OFFSET = 15;
const FLAG_BIG_ENDIAN = 1;
const FLAG_INLINE = 2;
/** Bytes of framing before and after the module text (cmd/go: modload.ModInfoData). */
const FRAME_SIZE = 16;
/** Longer version or module texts than these are taken for damage, not for a Go binary. */
const MAX_VERSION_LENGTH = 1024;
const MAX_MODULE_TEXT_LENGTH = 1 << 24;

/**
 * Finds out whether an ELF executable was built by Go's linker.
 *
 * @param bytes - the whole file; never changed, never copied, any content allowed
 * @returns version and cgo, or undefined where it is no (little-endian) ELF executable of Go; never throws
 */
export function detectGo(bytes: Uint8Array): GoBuild | undefined {
  const image = readImage(bytes);
  if (image === undefined) return undefined;
  for (const header of headerOffsets(image)) {
    const texts = readTexts(image, header);
    if (texts === undefined) continue;
    const version = texts.version.split(' ')[0] ?? '';
    if (!/^(go[0-9]|devel)/.test(version)) continue;
    return { version: fullVersion(texts.version), cgo: hasLibc(image, texts.settings) };
  }
  return undefined;
}

/** `devel go1.27-abc Mon …` → `devel go1.27-abc`; `go1.26.8 X:arenas` → `go1.26.8`. */
function fullVersion(text: string): string {
  const words = text.split(' ');
  return words.slice(0, words[0] === 'devel' ? 2 : 1).join(' ');
}

function readImage(bytes: Uint8Array): Image | undefined {
  const little = 1;
  if (bytes.length < 52 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
    return undefined;
  }
  if ((bytes[4] !== 1 && bytes[4] !== 2) || bytes[5] !== little) return undefined;
  const wordSize = bytes[4] === 2 ? 8 : 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = wordSize === 8;
  const tableOffset = word(view, wide ? 32 : 28, wordSize);
  const entrySize = u16(view, wide ? 54 : 42);
  const entryCount = u16(view, wide ? 56 : 44);
  if (entrySize < (wide ? 56 : 32)) return undefined;
  const loads: (Range & { executable: boolean })[] = [];
  let dynamic: Range | undefined;
  let interpreter = false;
  for (let index = 0; index < entryCount; index += 1) {
    const at = tableOffset + index * entrySize;
    if (at + entrySize > bytes.length) break;
    const type = u32(view, at);
    const flags = u32(view, at + (wide ? 4 : 24));
    const range = clip(bytes.length, {
      offset: word(view, at + (wide ? 8 : 4), wordSize),
      address: word(view, at + (wide ? 16 : 8), wordSize),
      size: word(view, at + (wide ? 32 : 16), wordSize),
    });
    if (type === PT_LOAD) loads.push({ ...range, executable: (flags & PF_X) !== 0 });
    if (type === PT_DYNAMIC) dynamic = range;
    if (type === PT_INTERP) interpreter = true;
  }
  return { bytes, view, wordSize, loads, dynamic, interpreter };
}

/** Keeps what of a range is really in the file. */
function clip(fileSize: number, range: Range): Range {
  const offset = Math.min(range.offset, fileSize);
  return { address: range.address, offset, size: Math.max(0, Math.min(range.size, fileSize - offset)) };
}

/** Places that hold the blob's magic: the section made for it first, then all data that is loaded. */
function* headerOffsets(image: Image): Generator<number> {
  const section = buildInfoSection(image);
  if (section !== undefined) yield* magicsIn(image.bytes, section);
  for (const load of image.loads) if (!load.executable) yield* magicsIn(image.bytes, load);
}

/** The blob is aligned by address; a segment's address and offset agree modulo the page size, so offsets serve. */
function* magicsIn(bytes: Uint8Array, range: Range): Generator<number> {
  const end = range.offset + range.size - HEADER_SIZE;
  for (let at = roundUp(range.offset); at <= end; at += MAGIC_ALIGNMENT) {
    if (bytes[at] === MAGIC[0] && MAGIC.every((byte, index) => bytes[at + index] === byte)) yield at;
  }
}

function roundUp(offset: number): number {
  return Math.ceil(offset / MAGIC_ALIGNMENT) * MAGIC_ALIGNMENT;
}

function buildInfoSection(image: Image): Range | undefined {
  const { bytes, view, wordSize } = image;
  const wide = wordSize === 8;
  const table = word(view, wide ? 40 : 32, wordSize);
  const entrySize = u16(view, wide ? 58 : 46);
  const entryCount = u16(view, wide ? 60 : 48);
  const namesIndex = u16(view, wide ? 62 : 50);
  if (table === 0 || entrySize < (wide ? 64 : 40) || namesIndex >= entryCount) return undefined;
  const offsetOf = (index: number): number => word(view, table + index * entrySize + (wide ? 24 : 16), wordSize);
  const names = offsetOf(namesIndex);
  for (let index = 0; index < entryCount; index += 1) {
    const at = table + index * entrySize;
    if (at + entrySize > bytes.length) return undefined;
    if (!textAt(bytes, names + u32(view, at), '.go.buildinfo\0')) continue;
    const size = word(view, at + (wide ? 32 : 20), wordSize);
    return clip(bytes.length, { address: word(view, at + (wide ? 16 : 12), wordSize), offset: offsetOf(index), size });
  }
  return undefined;
}

interface Texts {
  readonly version: string;
  /** `key=value` of the module text's `build` lines. */
  readonly settings: ReadonlySet<string>;
}

function readTexts(image: Image, header: number): Texts | undefined {
  const flags = image.bytes[header + FLAGS_OFFSET] ?? 0;
  return (flags & FLAG_INLINE) !== 0 ? readInline(image.bytes, header) : readPointed(image, header, flags);
}

/** Since Go 1.18: both texts stand behind the header, each after its length as a varint. */
function readInline(bytes: Uint8Array, header: number): Texts | undefined {
  const version = readCounted(bytes, header + HEADER_SIZE, MAX_VERSION_LENGTH);
  if (version === undefined) return undefined;
  const moduleText = readCounted(bytes, version.end, MAX_MODULE_TEXT_LENGTH);
  return { version: version.text, settings: settingsOf(moduleText?.text ?? '') };
}

function readCounted(bytes: Uint8Array, at: number, limit: number): { text: string; end: number } | undefined {
  let length = 0;
  let start = at;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[start];
    if (byte === undefined || scale > limit) return undefined;
    start += 1;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const end = start + length;
  if (length > limit || end > bytes.length) return undefined;
  return { text: latin1(bytes, start, end), end };
}

/** Up to Go 1.17: the header points to two Go strings (address and length), which are relocated only in PIE. */
function readPointed(image: Image, header: number, flags: number): Texts | undefined {
  const size = image.bytes[header + POINTER_SIZE_OFFSET];
  if (size !== image.wordSize || (flags & FLAG_BIG_ENDIAN) !== 0) return undefined;
  const version = readGoString(image, word(image.view, header + 16, size), MAX_VERSION_LENGTH);
  if (version === undefined) return undefined;
  const moduleText = readGoString(image, word(image.view, header + 16 + size, size), MAX_MODULE_TEXT_LENGTH);
  return { version, settings: settingsOf(moduleText ?? '') };
}

function readGoString(image: Image, address: number, limit: number): string | undefined {
  const header = offsetOfAddress(image, address);
  if (header === undefined) return undefined;
  const start = offsetOfAddress(image, word(image.view, header, image.wordSize));
  const length = word(image.view, header + image.wordSize, image.wordSize);
  if (start === undefined || length > limit || start + length > image.bytes.length) return undefined;
  return latin1(image.bytes, start, start + length);
}

function offsetOfAddress(image: Image, address: number): number | undefined {
  const load = image.loads.find((range) => address >= range.address && address - range.address < range.size);
  return load === undefined ? undefined : load.offset + (address - load.address);
}

function settingsOf(framed: string): ReadonlySet<string> {
  const lines = framed.slice(FRAME_SIZE, -FRAME_SIZE).split('\n');
  return new Set(lines.filter((line) => line.startsWith('build\t')).map((line) => line.slice(6)));
}

/**
 * A program that needs a shared object has its C library's threads. `CGO_ENABLED=1` alone says nothing: without a C package
 * the linker still makes a static program (or a PIE that needs nothing). A static one that has C in it is known by the
 * assembly file of runtime/cgo in its line table, which no stripping removes.
 */
function hasLibc(image: Image, settings: ReadonlySet<string>): boolean {
  if (needsObjects(image)) return true;
  if (image.interpreter || !settings.has('CGO_ENABLED=1')) return false;
  return image.loads.some((load) => contains(image.bytes, load, '/cgo/asm_', 'runtime/cgo/asm_'));
}

function needsObjects(image: Image): boolean {
  const { dynamic, view, wordSize } = image;
  if (dynamic === undefined) return false;
  for (let at = dynamic.offset; at + 2 * wordSize <= dynamic.offset + dynamic.size; at += 2 * wordSize) {
    const tag = word(view, at, wordSize);
    if (tag === DT_NEEDED) return true;
    if (tag === DT_NULL) return false;
  }
  return false;
}

/** Whether `wanted` is in the range; it must end in `tail`, whose first byte is looked for (a native, fast search). */
function contains(bytes: Uint8Array, range: Range, tail: string, wanted: string): boolean {
  const end = range.offset + range.size;
  const first = tail.charCodeAt(0);
  const before = wanted.length - tail.length;
  for (let at = bytes.indexOf(first, range.offset); at >= 0 && at < end; at = bytes.indexOf(first, at + 1)) {
    if (textAt(bytes, at, tail) && textAt(bytes, at - before, wanted)) return true;
  }
  return false;
}

function textAt(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

function ascii(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

/** One character for each byte: enough for version and settings, and it never fails. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 4096)));
  }
  return text;
}

function u16(view: DataView, at: number): number {
  return at >= 0 && at + 2 <= view.byteLength ? view.getUint16(at, true) : 0;
}

function u32(view: DataView, at: number): number {
  return at >= 0 && at + 4 <= view.byteLength ? view.getUint32(at, true) : 0;
}

/** An address-sized number; past 2^53 it is inexact, but then it is far outside of any file and any segment. */
function word(view: DataView, at: number, size: 4 | 8): number {
  return size === 4 ? u32(view, at) : u32(view, at) + u32(view, at + 4) * 2 ** 32;
}
