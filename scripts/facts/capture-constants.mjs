/** Evaluates the constants of C headers for an arch with the arch's own compiler: macros and enumerators alike. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function compile(tools, arch, args) {
  const result = spawnSync(tools.zig, ['cc', '-target', arch.target, ...arch.flags, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { text: result.stdout, errors: result.stderr };
}

function includes(tools, arch, set) {
  if (set === 'libc') return [];
  const folders = [join(tools.headers, arch.uapi), join(tools.headers, 'any-linux-any')];
  return ['-nostdinc', '-D__KERNEL_STRICT_NAMES', ...folders.flatMap((folder) => ['-isystem', folder])];
}

/** Names that a header may define as integers: object-like macros with a body, and enumerators. */
function candidates(tools, arch, options, file) {
  const names = new Set();
  for (const match of compile(tools, arch, [...options, '-E', '-dM', file]).text.matchAll(/^#define (\w+) \S/gm))
    names.add(match[1]);
  const plain = compile(tools, arch, [...options, '-E', '-P', file]).text;
  for (const body of plain.matchAll(/\benum\b[^{;()]*\{([^}]*)\}/g)) {
    for (const part of body[1].split(',')) {
      const name = /^\s*([A-Za-z]\w*)/.exec(part)?.[1];
      if (name) names.add(name);
    }
  }
  return [...names].filter((name) => /^(?:[A-Z]\w*|__W(?:ALL|CLONE|NOTHREAD))$/.test(name)).sort();
}

/** Directives of the assemblers of all arches, by the bytes that they write; two words of four come low one first. */
const WORDS_8 = ['quad', 'xword', 'dword', '8byte'];
const WORDS_4 = ['long', 'word', '4byte'];

function parseAssembly(text) {
  const values = {};
  for (const match of text.matchAll(/^v_(\w+):.*\n((?:\t\.\w+\t.*\n)+)/gm)) {
    const words = [...match[2].matchAll(/\.(\w+)\t(-?\w+)/g)].map(([, directive, value]) => ({ directive, value }));
    const long = words.find(({ directive }) => WORDS_8.includes(directive));
    const [low, high] = words.filter(({ directive }) => WORDS_4.includes(directive));
    if (long !== undefined) values[match[1]] = BigInt.asUintN(64, BigInt(long.value));
    else if (low !== undefined)
      values[match[1]] = BigInt.asUintN(32, BigInt(low.value)) | (BigInt.asUintN(32, BigInt(high?.value ?? 0)) << 32n);
    else values[match[1]] = 0n;
  }
  return values;
}

/** Lines of the program that the compiler refuses: names that are not integer constants. */
function refusedLines(errors, file) {
  return new Set(
    [...errors.matchAll(/^(.+?):(\d+):\d+: error/gm)]
      .filter((match) => match[1] === file)
      .map((match) => Number(match[2])),
  );
}

/** `{ name: value as a decimal string }` of one header for one arch; the value has the sign of its C type. */
export function evaluateHeader(tools, arch, header) {
  const folder = mkdtempSync(join(tmpdir(), 'selkie-facts-'));
  try {
    const file = join(folder, 'probe.c');
    const options = includes(tools, arch, header.set);
    const prelude = [...(header.before ?? []), header.path ? `#include <${header.path}>` : header.text].join('\n');
    writeFileSync(file, `${prelude}\n`);
    let names = candidates(tools, arch, options, file);
    if (header.only) names = names.filter((name) => new RegExp(header.only).test(name));
    const start = `${prelude}\n`.split('\n').length;
    const assembly = join(folder, 'probe.s');
    let errors = '';
    // The compiler stops at different errors in turn, so that a few rounds are needed until only constants are left.
    for (let round = 0; round < 6; round++) {
      const lines = names.map(
        (name) => `const unsigned long long v_${name} = (unsigned long long)(${name}), v_S_${name} = (${name}) < 0;`,
      );
      writeFileSync(file, `${prelude}\n${lines.join('\n')}\n`);
      ({ errors } = compile(tools, arch, [
        ...options,
        '-w',
        '-ferror-limit=0',
        '-O0',
        '-g0',
        '-S',
        '-o',
        assembly,
        file,
      ]));
      const bad = refusedLines(errors, file);
      const left = names.filter((_, index) => !bad.has(index + start));
      if (left.length === names.length) break;
      names = left;
    }
    if (!existsSync(assembly)) throw new Error(`cannot evaluate constants: ${errors.slice(0, 2000)}`);
    const text = readFileSync(assembly, 'utf8');
    const values = parseAssembly(text);
    const result = {};
    for (const name of names) {
      const value = values[name];
      if (value === undefined) continue;
      result[name] = String(values[`S_${name}`] ? BigInt.asIntN(64, value) : value);
    }
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
