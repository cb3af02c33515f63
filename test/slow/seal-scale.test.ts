// Every executable of this machine and of some fifty packages: sealed, it answers as before. The outcomes are printed for the record.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { sealFile } from '../../src/apply/seal.ts';
import { sealWithPolicy } from '../../src/apply/with-policy.ts';
import { ElfError } from '../../src/base/errors.ts';
import { encodeProgram } from '../../src/bpf/codec.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { readElf } from '../../src/elf/read.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { temporaryFolder } from '../support/folders.ts';
import { executables, PACKAGE_COUNT, type ScaleProgram, unpackedPackages } from '../support/scale-programs.ts';
import { type Ran, runAlone, without } from '../support/scale-run.ts';
import { missingTools } from '../support/tools.ts';

const LEAST_PROGRAMS = 1000;
const LEAST_PACKAGES = 30;
const WORKERS = 3;
/** Growth beyond section table, policy and program, in bytes. */
const MOST_GROWTH = 12 << 10;
const MOST_COPIES = 1.5;
const MOST_MORE_MS = 30;
/** A disturbance of the machine is no property of the file: the best of so many counts. */
const TRIES = 10;

/** All but one call that no program makes in these runs, on every ABI that children may have. */
const POLICY = parsePolicy(
  'selkie: 1\nsets: 1\narches: [x86_64, i386, x32]\ndefault: allow\nsyscalls:\n  errno(EPERM): [acct]\n',
);

/** Why some are not sealed; every other code is a failure. */
const REASONS: Readonly<Record<string, string>> = {
  elf_privileged: 'setuid, setgid or file capabilities',
  elf_class: '32-bit',
  elf_type: 'no program: a library or a loader',
};

const isRoot = process.getuid?.() === 0;
const skip = missingTools('apt-get', 'dpkg-deb', 'unshare', 'setpriv', 'find') || (isRoot ? false : 'needs root');
const folder = temporaryFolder();
let root = '';
let programs: readonly ScaleProgram[] = [];
/** The files that are sealed. */
let sealable: readonly ScaleProgram[] = [];

before(() => {
  if (skip !== false) return;
  root = unpackedPackages();
  programs = executables(root);
});

const seal = (file: string, output: string): ReturnType<typeof sealWithPolicy> =>
  sealWithPolicy({ binary: file, policy: POLICY, output, force: true });

/** The growth of a sealed file beside section table, policy and program, in bytes; or why it is refused. */
function growthOrRefusal(file: string): number | string {
  try {
    const { size, originalSize, instructions } = seal(file, join(folder, 'sealed'));
    const table = 64 * readElf(fs.readFileSync(file)).sections.length;
    return size - originalSize - table - printPolicy(POLICY).length - 8 * instructions;
  } catch (error) {
    if (error instanceof ElfError) return error.code;
    throw error;
  }
}

test('they are sealed and grow by 12 KiB at most, or are refused for a reason that is stated here', {
  skip,
}, (context) => {
  const rows = programs.map((program) => ({ program, result: growthOrRefusal(program.file) }));
  const sealed = rows.flatMap(({ program, result }) => (typeof result === 'number' ? [{ program, result }] : []));
  sealable = sealed.map(({ program }) => program);
  const growths = sealed.map(({ result }) => result).sort((a, b) => a - b);
  context.diagnostic(`${programs.length} executables, ${PACKAGE_COUNT} packages: ${sealable.length} sealed`);
  context.diagnostic(`growth: median ${growths[growths.length >> 1]}, most ${growths.at(-1)} bytes`);
  const refused = grouped(rows, ({ result }) => String(typeof result === 'string' ? REASONS[result] : 'sealed'));
  refused.delete('sealed');
  for (const [reason, group] of refused) {
    context.diagnostic(`refused, ${reason}: ${group.length}: ${group.map(({ program }) => program.path).join(' ')}`);
  }
  assert.ok(!refused.has('undefined'), 'refused without a stated reason');
  assert.ok((growths.at(-1) ?? Number.POSITIVE_INFINITY) <= MOST_GROWTH);
  assert.ok(sealable.length >= LEAST_PROGRAMS && PACKAGE_COUNT >= LEAST_PACKAGES);
});

/** As durable as what `seal` writes. */
function copy(file: string, output: string): void {
  const bytes = fs.readFileSync(file);
  const fd = fs.openSync(`${output}.new`, 'w');
  fs.writeFileSync(fd, bytes);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  fs.renameSync(`${output}.new`, output);
}

/** Milliseconds by the clock, and of processor time, which other work on the machine does not stretch. */
interface Taken {
  readonly clock: number;
  readonly processor: number;
}

function taken(action: () => unknown): Taken {
  const begin = process.hrtime.bigint();
  const used = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(used);
  return { clock: Number(process.hrtime.bigint() - begin) / 1e6, processor: (user + system) / 1e3 };
}

const least = (a: Taken, b: Taken): Taken => ({
  clock: Math.min(a.clock, b.clock),
  processor: Math.min(a.processor, b.processor),
});

interface Times {
  readonly path: string;
  readonly size: number;
  /** SHA-256 of the file, without which unseal could not tell whether it gives back what was sealed. */
  readonly hashed: Taken;
  readonly copied: Taken;
  readonly sealed: Taken;
}

/** By the clock, as long as nobody else uses the machine; else by processor time, where the disk's part is left out. */
const within = ({ copied, sealed, hashed }: Times, hashes: number): boolean =>
  (['clock', 'processor'] as const).some(
    (kind) => sealed[kind] <= MOST_COPIES * copied[kind] + MOST_MORE_MS + hashes * hashed[kind],
  );

function timesOf({ path, file }: ScaleProgram, program: Uint8Array): Times {
  const output = join(folder, 'sealed');
  const all = (): readonly [Taken, Taken, Taken] => [
    taken(() => copy(file, join(folder, 'copied'))),
    taken(() => sealFile({ binary: file, program, policyText: printPolicy(POLICY), output, force: true })),
    taken(() => createHash('sha256').update(bytes).digest()),
  ];
  const bytes = fs.readFileSync(file);
  let [copied, sealed, hashed] = all();
  const times = (): Times => ({ path, size: bytes.length, copied, sealed, hashed });
  for (let round = 1; round < TRIES && !within(times(), 0); round += 1) {
    const again = all();
    copied = least(copied, again[0]);
    sealed = least(sealed, again[1]);
    hashed = least(hashed, again[2]);
  }
  return times();
}

const told = ({ path, size, copied, sealed }: Times): string => {
  const text = (kind: keyof Taken): string => `${copied[kind].toFixed(1)} and ${sealed[kind].toFixed(1)} ms`;
  return `${path}, ${size} bytes: copied and sealed in ${text('clock')}, processor ${text('processor')}`;
};

test('sealing takes 1.5 times as long as a copy, 30 ms and a SHA-256 at most, in one process', { skip }, (context) => {
  const program = encodeProgram(compilePolicy(POLICY, { includeStart: false, probe: true }).program);
  const times = sealable.map((row) => timesOf(row, program));
  const total = (pick: (row: Times) => Taken, kind: keyof Taken): string =>
    times.reduce((sum, row) => sum + pick(row)[kind], 0).toFixed(0);
  for (const kind of ['clock', 'processor'] as const) {
    context.diagnostic(
      `all, ${kind}: copied in ${total((row) => row.copied, kind)} ms, sealed in ${total((row) => row.sealed, kind)} ms`,
    );
  }
  for (const row of times.toSorted((a, b) => b.size - a.size).slice(0, 5)) context.diagnostic(told(row));
  const larger = times.filter((row) => !within(row, 0));
  context.diagnostic(`within it without the hash: all but ${larger.length} of ${times.length}`);
  for (const row of larger) context.diagnostic(told(row));
  assert.equal(larger.filter((row) => !within(row, 1)).length, 0);
});

type Outcome = 'the same' | 'the same but for numbers' | 'runs on' | 'does not start here' | 'other';

/** What a loader says that does not find a library: the program and so the seal are never reached. */
const isNotStarted = ({ status, output }: Ran): boolean =>
  status === 127 && /error while loading shared libraries|symbol lookup error/.test(output);

interface Compared {
  readonly path: string;
  readonly option: string;
  readonly outcome: Outcome;
  readonly plain: Ran;
  readonly sealed: Ran;
}

function grouped<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row]);
  return groups;
}

/** What differs is run again: a program whose own runs differ from one another is held against all of them. */
async function compare(path: string, option: string, sealedFile: string): Promise<Compared> {
  const plain = [await runAlone(root, path, [option])];
  const sealed = [await runAlone(root, path, [option], sealedFile)];
  const isShared = (keepNumbers: boolean): boolean => {
    const texts = new Set(plain.map((ran) => without(!keepNumbers, ran)));
    return sealed.some((ran) => texts.has(without(!keepNumbers, ran)));
  };
  for (let round = 0; round < 2 && !isShared(true); round += 1) {
    plain.push(await runAlone(root, path, [option]));
    sealed.push(await runAlone(root, path, [option], sealedFile));
  }
  const [first] = plain as [Ran];
  const outcome = isShared(true)
    ? first.status === 'runs on'
      ? 'runs on'
      : isNotStarted(first)
        ? 'does not start here'
        : 'the same'
    : isShared(false)
      ? 'the same but for numbers'
      : 'other';
  return { path, option, outcome, plain: first, sealed: sealed[0] as Ran };
}

async function compareProgram({ path, file }: ScaleProgram, worker: number): Promise<Compared[]> {
  const sealedFile = join(folder, `sealed-${worker}`);
  seal(file, sealedFile);
  const version = await compare(path, '--version', sealedFile);
  if (version.plain.status === 0 || version.outcome === 'does not start here' || version.outcome === 'runs on') {
    return [version];
  }
  return [version, await compare(path, '--help', sealedFile)];
}

test('sealed, each answers --version, and --help where that fails, as before', { skip }, async (context) => {
  const waiting = [...sealable];
  const compared: Compared[] = [];
  const work = async (worker: number): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      compared.push(...(await compareProgram(next, worker)));
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
  const outcomes = grouped(compared, ({ outcome }) => outcome);
  for (const [outcome, rows] of outcomes) {
    const paths = outcome === 'the same' ? '' : `: ${rows.map(({ path }) => path).join(' ')}`;
    context.diagnostic(`${outcome}: ${rows.length}${paths}`);
  }
  const codes = grouped(compared, ({ plain }) => String(plain.status));
  context.diagnostic(`exit codes: ${[...codes].map(([code, rows]) => `${code} ×${rows.length}`).join(', ')}`);
  assert.deepEqual(outcomes.get('other') ?? [], []);
  const started = compared.filter(({ outcome }) => outcome !== 'does not start here').length;
  assert.ok(started >= LEAST_PROGRAMS, `only ${started} start here`);
});
