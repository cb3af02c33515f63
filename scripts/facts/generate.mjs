/**
 * Writes src/facts/tables/z-*.ts from captured/*.json and hand/*.json: a pure function of them.
 * Usage: node scripts/facts/generate.mjs [--check]. With --check nothing is written, and any differing byte is an error.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARCHES } from './arches.mjs';
import { lineOf, parametersOf } from './prototypes.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, '..', '..', 'src', 'facts', 'tables');
const archNames = Object.keys(ARCHES);

/** All inputs as parsed objects, and one hash of their bytes in a fixed order. */
function readInputs() {
  const hash = createHash('sha256');
  const inputs = {};
  for (const folder of ['captured', 'hand']) {
    for (const name of readdirSync(join(here, folder)).sort()) {
      const bytes = readFileSync(join(here, folder, name));
      hash.update(`${folder}/${name}\0${bytes.length}\0`).update(bytes);
      inputs[`${folder}/${name.replace('.json', '')}`] = JSON.parse(bytes);
    }
  }
  return { inputs, digest: hash.digest('hex').slice(0, 16) };
}

const byName = ([a], [b]) => (a < b ? -1 : a > b ? 1 : 0);
const key = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name));
const quote = (text) => (text.includes("'") ? JSON.stringify(text) : `'${text}'`);

/** An object literal of sorted `name: text` pairs, several to a line. */
function literal(table, render) {
  const lines = [''];
  for (const [name, value] of Object.entries(table).sort(byName)) {
    const item = `${key(name)}: ${render(value)},`;
    if (lines.at(-1) !== '' && lines.at(-1).length + item.length > 130) lines.push('');
    lines[lines.length - 1] += `${lines.at(-1) === '' ? '  ' : ' '}${item}`;
  }
  return lines[0] === '' ? '{}' : `{\n${lines.join('\n')}\n}`;
}

const constantName = (arch) => arch.toUpperCase();
const integer = (text) => (BigInt(text) > BigInt(Number.MAX_SAFE_INTEGER) ? `${text}n` : text);

function declare(name, type, value) {
  return `export const ${name}: ${type} = ${value};\n`;
}

function numbersFiles({ numbers }) {
  return archNames.map((arch) => [
    `z-numbers-${arch.replaceAll('_', '-')}.ts`,
    declare(`NUMBERS_${constantName(arch)}`, '{ readonly [name: string]: number }', literal(numbers[arch], String)),
  ]);
}

function allNames(numbers) {
  return [...new Set(archNames.flatMap((arch) => Object.keys(numbers[arch])))].sort();
}

function releasesFile({ numbers, man, releases }) {
  const common = {};
  for (const name of allNames(numbers)) {
    const release = releases['*'][name]?.[0] ?? man.releases[name]?.release;
    if (release) common[name] = release;
  }
  const perArch = {};
  for (const arch of archNames) {
    perArch[arch] = Object.fromEntries(
      Object.entries(releases[arch] ?? {}).map(([name, [release]]) => [name, release]),
    );
    const missing = Object.keys(numbers[arch]).filter((name) => !common[name] && !perArch[arch][name]);
    if (missing.length > 0)
      throw new Error(`no release for ${arch}: ${missing.join(' ')}; add it to hand/releases.json`);
  }
  const minimum = Object.fromEntries(Object.entries(releases.minimum).map(([arch, [release]]) => [arch, release]));
  const nested = literal(perArch, (table) => literal(table, quote));
  return [
    'z-releases.ts',
    declare('RELEASES', '{ readonly [name: string]: string }', literal(common, quote)) +
      declare('RELEASES_BY_ARCH', '{ readonly [arch: string]: { readonly [name: string]: string } }', nested) +
      declare('ARCH_SINCE', '{ readonly [arch: string]: string }', literal(minimum, quote)),
  ];
}

function parametersFile({ numbers, prototypes, man, parameters, groups }) {
  const grouped = (name, line) =>
    line === ''
      ? ''
      : lineOf(
          name,
          line.split(' ').map((word) => ({ names: word.split(':')[0].split('/'), letter: word.split(':')[1] })),
          groups,
        );
  const common = {};
  for (const name of allNames(numbers)) {
    const hand = parameters['*'][name]?.[0];
    const found = hand === undefined ? parametersOf(name, prototypes, man.parameters, { functions: {} }) : undefined;
    if (hand !== undefined) common[name] = grouped(name, hand);
    else if (found !== undefined) common[name] = lineOf(name, found, groups);
  }
  const perArch = {};
  for (const arch of archNames) {
    const rows = Object.entries(parameters[arch] ?? {}).filter(([name]) => name in numbers[arch]);
    perArch[arch] = Object.fromEntries(rows.map(([name, [line]]) => [name, grouped(name, line)]));
  }
  return [
    'z-parameters.ts',
    declare('PARAMETERS', '{ readonly [name: string]: string }', literal(common, quote)) +
      declare(
        'PARAMETERS_BY_ARCH',
        '{ readonly [arch: string]: { readonly [name: string]: string } }',
        literal(perArch, (table) => literal(table, quote)),
      ),
  ];
}

/** Undoes what capture.mjs factored out. */
function unfactored({ all, ...tables }) {
  return Object.fromEntries(archNames.map((arch) => [arch, { ...all, ...tables[arch] }]));
}

/** Splits per-arch tables into the commonest value of each name, and what differs (`null`: the arch has no such name). */
function share(tables) {
  const common = {};
  const names = new Set(archNames.flatMap((arch) => Object.keys(tables[arch])));
  for (const name of [...names].sort()) {
    const counts = new Map();
    for (const arch of archNames)
      if (name in tables[arch]) counts.set(tables[arch][name], (counts.get(tables[arch][name]) ?? 0) + 1);
    common[name] = [...counts].sort((a, b) => b[1] - a[1])[0][0];
  }
  const differences = {};
  for (const arch of archNames) {
    differences[arch] = {};
    for (const name of names) {
      if (tables[arch][name] !== common[name]) differences[arch][name] = tables[arch][name] ?? null;
    }
  }
  return { common, differences };
}

function constantsFiles({ constants }) {
  const { common, differences } = share(unfactored(constants));
  const type = '{ readonly [name: string]: number | bigint | null }';
  return [
    ['z-constants.ts', declare('CONSTANTS', type, literal(common, integer))],
    ...archNames.map((arch) => [
      `z-constants-${arch.replaceAll('_', '-')}.ts`,
      declare(
        `CONSTANTS_${constantName(arch)}`,
        type,
        literal(differences[arch], (value) => (value === null ? 'null' : integer(value))),
      ),
    ]),
  ];
}

function errnosFile({ errnos, man, errnoTexts, errnoAliases }) {
  const tables = unfactored(errnos);
  for (const table of Object.values(tables)) {
    for (const [name, [same]] of Object.entries(errnoAliases)) table[name] = table[same];
  }
  const { common, differences } = share(tables);
  const texts = {};
  for (const name of Object.keys(common)) {
    const text = errnoTexts[name]?.[0] ?? man.errnos[name]?.replace(/ *\((?:may be|or|see|POSIX)[^)]*\).*$/, '');
    if (text && !/synonym/.test(text)) texts[name] = text;
  }
  const type = '{ readonly [name: string]: number | null }';
  return [
    'z-errnos.ts',
    declare('ERRNOS', type, literal(common, String)) +
      declare(
        'ERRNOS_BY_ARCH',
        `{ readonly [arch: string]: ${type} }`,
        literal(differences, (table) => literal(table, String)),
      ) +
      declare('ERRNO_TEXTS', '{ readonly [name: string]: string }', literal(texts, quote)),
  ];
}

/** `[file name, text]` of every table. */
export function generate() {
  const { inputs, digest } = readInputs();
  const { numbers, prototypes, man, constants, errnos } = Object.fromEntries(
    Object.entries(inputs)
      .filter(([name]) => name.startsWith('captured/'))
      .map(([name, value]) => [name.slice('captured/'.length), value]),
  );
  const hand = {
    releases: inputs['hand/releases'],
    parameters: inputs['hand/parameters'],
    groups: inputs['hand/groups'],
    errnoTexts: inputs['hand/errno-texts'],
    errnoAliases: inputs['hand/errno-aliases'],
  };
  const facts = { numbers, prototypes, man, constants, errnos, ...hand };
  const header = `// Generated by scripts/facts/generate.mjs from Linux 7.2 headers and 6.18 prototypes, inputs sha256 ${digest}. Do not edit.\n\n`;
  const files = [
    ...numbersFiles(facts),
    releasesFile(facts),
    parametersFile(facts),
    ...constantsFiles(facts),
    errnosFile(facts),
  ];
  return files.map(([name, text]) => [name, header + text]);
}

function main() {
  const check = process.argv.includes('--check');
  mkdirSync(target, { recursive: true });
  const stale = [];
  const files = generate();
  for (const [name, text] of files) {
    const file = join(target, name);
    if (!check) writeFileSync(file, text);
    else if (readFileSync(file, 'utf8') !== text) stale.push(name);
  }
  const extra = readdirSync(target).filter((name) => !files.some(([known]) => known === name));
  if (stale.length + extra.length > 0) {
    process.stderr.write(`src/facts/tables: not what the generator writes: ${[...stale, ...extra].join(', ')}\n`);
    process.exitCode = 1;
  }
}

main();
