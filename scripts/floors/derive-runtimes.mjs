// Derives what glibc, musl, Rust's standard library and CPython call of their own: records the stress programs of test/programs with
// Selkie, plainly and where @fallback answers ENOSYS, in the ways and surroundings below. Needs a build; some minutes; CI never runs it.
//
//   node scripts/floors/derive-runtimes.mjs [glibc,musl,rust,python]
//
// Writes scripts/floors/captured/runtimes.json: runtime -> call -> the ways that made it after the program's entry.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;
const CAPTURED = join(ROOT, 'scripts/floors/captured/runtimes.json');
const SELKIE = join(ROOT, 'bin/selkie');
const work = mkdtempSync(join(tmpdir(), 'selkie-floors-'));

const LIBC_WAYS = [
  'threads',
  'blocks',
  'locales',
  'stdio',
  'times',
  'abort',
  'assert',
  'exit',
  '_exit',
  'quick',
  'pthread_exit',
  'double',
  '',
];
const RUST_WAYS = ['threads', 'channels', 'blocks', 'caught', 'panic', 'abort', 'exit', 'overflow', 'times', ''];
const PYTHON_WAYS = [
  'threads',
  'blocks',
  'imports',
  'text',
  'interrupted',
  'error',
  'late',
  'times',
  'abort',
  'exit',
  'recursion',
  '',
];
const ENVIRONMENTS = [
  {},
  { LC_ALL: 'C.UTF-8', TZ: 'Europe/Berlin' },
  { LANG: 'de_DE.UTF-8', RUST_BACKTRACE: '1', MALLOC_ARENA_MAX: '2' },
];
/** Standard input, output and error. */
const STREAMS = ['</dev/null >out 2>err', '</dev/null 2>&1 | cat >out', '</dev/null >/dev/null 2>&1'];

const source = (path) => join(ROOT, 'test/programs', path);
const build = (output, compiler, ...words) => {
  execFileSync(compiler, [...words, '-o', join(work, output)], { stdio: ['ignore', 'ignore', 'inherit'] });
  return join(work, output);
};
const RUNTIMES = {
  glibc: () => [
    [build('dynamic', 'gcc', '-O1', source('libc-stress/stress.c')), LIBC_WAYS],
    [build('static', 'gcc', '-O1', '-static', source('libc-stress/stress.c')), LIBC_WAYS],
  ],
  musl: () => [
    [build('musl', 'musl-gcc', '-O1', source('libc-stress/stress.c')), LIBC_WAYS],
    [build('musl-static', 'musl-gcc', '-O1', '-static', source('libc-stress/stress.c')), LIBC_WAYS],
  ],
  rust: () => [[build('rust', 'rustc', '-O', source('rust-stress/stress.rs')), RUST_WAYS]],
  python: () => [[`/usr/bin/python3 ${source('python-stress/stress.py')}`, PYTHON_WAYS]],
};

function record(command, environment, streams, prefix) {
  const policy = join(work, 'recorded.yaml');
  const shell = `${prefix} node ${SELKIE} record -q --force --no-floor -o ${policy} ${command} ${streams}`;
  const env = { ...process.env, ...environment };
  delete env.LC_CTYPE;
  try {
    execFileSync('sh', ['-c', shell], { cwd: work, env, stdio: 'ignore' });
  } catch {
    // Some ways end by a signal or a code of their own.
  }
  return readFileSync(policy.replace('.yaml', '.evidence.json'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ phase }) => phase === 'program')
    .map(({ syscall }) => syscall);
}

const captured = JSON.parse(readFileSync(CAPTURED, { encoding: 'utf8', flag: 'a+' }) || '{}');
const older = join(work, 'older.yaml');
writeFileSync(older, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(ENOSYS): ["@fallback"]\n');
for (const name of process.argv[2]?.split(',') ?? Object.keys(RUNTIMES)) {
  const calls = new Map();
  for (const [command, ways] of RUNTIMES[name]())
    for (const way of ways)
      for (const environment of ENVIRONMENTS)
        for (const streams of STREAMS)
          for (const prefix of ['', `node ${SELKIE} run -p ${older}`])
            for (const call of record(`${command} ${way}`, environment, streams, prefix))
              calls.set(call, (calls.get(call) ?? new Set()).add(way || 'nothing'));
  captured[name] = Object.fromEntries([...calls].sort().map(([call, ways]) => [call, [...ways].sort()]));
}
rmSync(work, { recursive: true, force: true });
const lines = (calls) =>
  Object.entries(calls).map(
    ([call, ways]) => `  ${JSON.stringify(call)}: ${JSON.stringify(ways).replaceAll(',', ', ')}`,
  );
const runtimes = Object.entries(captured).map(
  ([name, calls]) => ` ${JSON.stringify(name)}: {\n${lines(calls).join(',\n')}\n }`,
);
writeFileSync(CAPTURED, `{\n${runtimes.join(',\n')}\n}\n`);
