/** Readers of numbers, prototypes and releases. Each takes the text of its inputs' files and answers plain data. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** `#define __NR_name number` of unistd_*.h; x32's bit is left out, `base` stands for the symbol that others add to. */
export function readNumbers(file, base = 0) {
  const numbers = {};
  for (const match of readFileSync(file, 'utf8').matchAll(
    /^#define __NR_(\w+)\s+\(?(?:(__X32_SYSCALL_BIT|__NR_Linux|__NR_SYSCALL_BASE) ?\+ )?(\d+)\)?/gm,
  )) {
    numbers[match[1]] = Number(match[3]) + (match[2] === '__NR_Linux' ? base : 0);
  }
  return numbers;
}

/** Calls of ARM alone, behind all others; seccomp sees them too (arch/arm/kernel/entry-common.S). */
export function readPrivateNumbers(file) {
  const text = readFileSync(file, 'utf8');
  const base = Number(/__ARM_NR_BASE\s+\(__NR_SYSCALL_BASE\+(0x\w+)\)/.exec(text)[1]);
  const found = text.matchAll(
    /^#define __ARM_NR_(breakpoint|cacheflush|usr26|usr32|set_tls)\s+\(__ARM_NR_BASE\+(\d+)\)/gm,
  );
  return Object.fromEntries([...found].map((match) => [match[1], base + Number(match[2])]));
}

/** Kernel function of each generic number: `__SYSCALL(__NR_x, sys_y)` and its variants in asm-generic/unistd.h. */
export function readGenericEntries(file) {
  const entries = {};
  for (const match of readFileSync(file, 'utf8').matchAll(/^__S[YC]\w+\(__NR(?:3264)?_(\w+),\s*sys_(\w+)/gm))
    entries[match[1]] = match[2];
  return entries;
}

/** Parameters of `sys_enter_*` events: `{ function: ['type name', ...] }`. */
export function readTracing(folder) {
  const prototypes = {};
  for (const name of readdirSync(folder).sort()) {
    if (!name.startsWith('sys_enter_')) continue;
    const text = readFileSync(join(folder, name, 'format'), 'utf8');
    const fields = [...text.matchAll(/^\tfield:(.+?);\toffset:(\d+)/gm)].filter((match) => Number(match[2]) >= 16);
    // Newer kernels add a copy of user strings (`__data_loc`): not a parameter.
    const own = fields.map((match) => match[1].replace(/\s+/g, ' ')).filter((field) => !field.startsWith('__data_loc'));
    prototypes[name.slice('sys_enter_'.length)] = own;
  }
  return prototypes;
}

/** `asmlinkage long sys_x(type name, ...)` of include/linux/syscalls.h: the same shape, names may be missing. */
export function readSyscallsHeader(file) {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, ' ');
  const prototypes = {};
  for (const match of text.matchAll(/^asmlinkage long sys_(\w+)\(([^;]*)\);/gm)) {
    if (match[1] in prototypes) continue;
    const list = match[2]
      .replace(/__user|__force/g, ' ')
      .replace(/\s+/g, ' ')
      .trim();
    prototypes[match[1]] = list === 'void' || list === '' ? [] : list.split(',').map((part) => part.trim());
  }
  return prototypes;
}

/** Joins the arguments of a roff alternating-font line (`.BI "int " fd ", int " flags`). */
function alternating(line) {
  const words = [...line.matchAll(/"((?:[^"]|"")*)"|(\S+)/g)].map((match) => match[1] ?? match[2]);
  return words.join('');
}

function parameterName(part) {
  const pointer = /\(\*\s*(\w+)\)/.exec(part);
  if (pointer) return pointer[1];
  return /(\w+)\s*(?:\[[^\]]*\])?\s*$/.exec(part.replace(/_Nullable|restrict/g, ' '))?.[1];
}

/** Splits at commas outside of brackets. */
function splitArguments(list) {
  const parts = [''];
  let depth = 0;
  for (const letter of list) {
    if (letter === '(' || letter === '[') depth++;
    if (letter === ')' || letter === ']') depth--;
    if (letter === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim());
}

function synopsisPrototypes(text, into) {
  const synopsis = /^\.SH SYNOPSIS\n([\s\S]*?)^\.SH /m.exec(text)?.[1] ?? '';
  const plain = synopsis
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => /^\.(BI?|BR) /.test(line) && !line.includes('#'))
    .map((line) => alternating(line.replace(/^\.\w+ /, '')).replace(/\\f./g, ''))
    .join('\n')
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/\\&/g, '');
  for (const match of plain.matchAll(/^[\w\s*]*?\b(\w+)\(((?:[^()]|\([^()]*\))*)\);/gm)) {
    let name = match[1];
    let parts = splitArguments(match[2].replace(/\s+/g, ' '));
    if (name === 'syscall') {
      name = parts.shift()?.replace(/^SYS_/, '') ?? '';
    }
    if (parts.length === 1 && (parts[0] === 'void' || parts[0] === '')) parts = [];
    const names = parts.map(parameterName);
    if (names.includes(undefined) || parts.includes('...')) continue;
    // The longest form is the one with the optional argument.
    if (!into[name] || names.length > into[name].length) into[name] = names;
  }
}

/** Parameter names of section 2's synopses: `{ function: [name, ...] }`. */
export function readManPages(folder) {
  const names = {};
  for (const file of readdirSync(folder).sort()) {
    if (file.endsWith('.gz')) synopsisPrototypes(gunzipSync(readFileSync(join(folder, file))).toString('utf8'), names);
  }
  return names;
}

/** The table of syscalls(2): `{ name: { release, note } }`. */
export function readReleases(folder) {
  const text = gunzipSync(readFileSync(join(folder, 'syscalls.2.gz'))).toString('utf8');
  const table = /^\.TS\n([\s\S]*?)^\.TE/m
    .exec(text)[1]
    .replace(/^\.\\".*\n/gm, '')
    .replace(/T\{\n([\s\S]*?)\nT\}/g, (_, note) => note.replace(/\n/g, ' '));
  const releases = {};
  for (const match of table.matchAll(/^\\fB(\w+)\\fP\(2\)\t([^\t\n]*)(?:\t(.*))?$/gm)) {
    releases[match[1]] = { release: match[2].split(/[;,]/)[0].trim(), note: (match[3] ?? '').replace(/\\f./g, '') };
  }
  return releases;
}

/** Messages of errno(3): `{ EPERM: 'Operation not permitted' }`, the POSIX remark left out. */
export function readErrnoTexts(folder) {
  const file = join(folder, 'errno.3.gz');
  if (!existsSync(file)) return {};
  const text = gunzipSync(readFileSync(file)).toString('utf8');
  const texts = {};
  for (const match of text.matchAll(/^\.(?:TP|TQ)\n\.BR? (E\w+).*\n((?:(?!\.(?:TP|SH|SS|TQ)).*\n)*)/gm)) {
    const flat = match[2]
      .replace(/^\.\\".*\n/gm, '')
      .replace(/\\&/g, '')
      .replace(/^\.\w+ ?/gm, '')
      .replace(/\\[-]/g, '-')
      .replace(/\\f./g, '')
      .replace(/\\\(aq/g, "'")
      .replace(/\s+/g, ' ')
      .trim();
    texts[match[1]] = flat.replace(/ ?\(POSIX.*$/, '').replace(/[.;] .*$|\.$/, '');
  }
  return texts;
}
