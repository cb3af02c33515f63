/**
 * Captures the facts of the ABI from their raw inputs into `captured/*.json`: run by hand when the kernel grows, then commit.
 * Usage: node scripts/facts/capture.mjs CACHE_FOLDER [syscalls|constants]. Needs root for the tracing file system.
 */
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARCHES } from './arches.mjs';
import { evaluateHeader } from './capture-constants.mjs';
import {
  readErrnoTexts,
  readGenericEntries,
  readManPages,
  readNumbers,
  readPrivateNumbers,
  readReleases,
  readSyscallsHeader,
  readTracing,
} from './capture-syscalls.mjs';
import { fetchInputs, ZIG } from './fetch.mjs';
import { headerList } from './headers.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [cache, part = 'all'] = process.argv.slice(2);
if (cache === undefined) throw new Error('usage: capture.mjs CACHE_FOLDER [syscalls|constants]');
const inputs = fetchInputs(cache);

const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

function save(name, source, facts) {
  const lines = Object.entries(facts).map(([key, value]) => {
    const inner = value !== null && typeof value === 'object' && !Array.isArray(value);
    if (!inner) return `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`;
    const rows = Object.entries(sorted(value)).map(
      ([field, entry]) => `    ${JSON.stringify(field)}: ${JSON.stringify(entry)}`,
    );
    return `  ${JSON.stringify(key)}: {\n${rows.join(',\n')}\n  }`;
  });
  writeFileSync(
    join(here, 'captured', `${name}.json`),
    `{\n  "source": ${JSON.stringify(source)},\n${lines.join(',\n')}\n}\n`,
  );
}

function captureSyscalls() {
  const numbers = {};
  for (const [name, arch] of Object.entries(ARCHES))
    numbers[name] = readNumbers(join(inputs.headers, arch.uapi, 'asm', arch.unistd), arch.base);
  Object.assign(numbers.arm, readPrivateNumbers(join(inputs.headers, ARCHES.arm.uapi, 'asm', 'unistd.h')));
  save('numbers', `asm/unistd_*.h in ${ZIG}`, numbers);
  save(
    'prototypes',
    `events/syscalls of Linux ${release().split('-')[0]}, linux/syscalls.h of 6.12, asm-generic/unistd.h`,
    {
      tracing: readTracing(inputs.tracing),
      header: readSyscallsHeader(join(inputs.kernelHeaders, 'linux', 'syscalls.h')),
      generic: readGenericEntries(join(inputs.headers, 'any-linux-any', 'asm-generic', 'unistd.h')),
    },
  );
  save('man', 'synopses of section 2, syscalls(2) and errno(3) of man-pages 6.03', {
    parameters: readManPages(inputs.man),
    releases: readReleases(inputs.man),
    errnos: readErrnoTexts(inputs.man3),
  });
}

/** Moves what all arches agree on into `all`, so that the file stays small. */
function factored(tables) {
  const [first, ...others] = Object.values(tables);
  const same = Object.keys(first).filter((name) => others.every((table) => table[name] === first[name]));
  const all = Object.fromEntries(same.map((name) => [name, first[name]]));
  const rest = Object.entries(tables).map(([arch, table]) => [
    arch,
    Object.fromEntries(Object.entries(table).filter(([name]) => !Object.hasOwn(all, name))),
  ]);
  return { all, ...Object.fromEntries(rest) };
}

function captureConstants() {
  const constants = {};
  const errnos = {};
  for (const [name, arch] of Object.entries(ARCHES)) {
    const values = {};
    for (const header of headerList(inputs.kernelHeaders)) {
      for (const [constant, value] of Object.entries(evaluateHeader(inputs, arch, header))) {
        if (constant in values && values[constant] !== value && header.set === 'uapi') {
          process.stderr.write(`${name}: ${constant} is ${values[constant]}, ${header.path} has ${value}\n`);
        }
        values[constant] ??= value;
      }
    }
    constants[name] = values;
    errnos[name] = evaluateHeader(inputs, arch, { set: 'uapi', path: 'asm/errno.h', only: '^E[A-Z0-9]+$' });
  }
  save('constants', `uapi and musl headers in ${ZIG}, linux/socket.h and net.h of 6.12`, factored(constants));
  save('errnos', `asm/errno.h in ${ZIG}`, factored(errnos));
}

if (part !== 'constants') captureSyscalls();
if (part !== 'syscalls') captureConstants();
