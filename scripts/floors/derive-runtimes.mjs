// Derives what glibc, musl, Rust's standard library, CPython and the Java virtual machine call of their own: records the stress programs of test/programs with
// Selkie, plainly and where @fallback answers ENOSYS, in the ways and surroundings below. Needs a build; some minutes; CI never runs it.
//
//   node scripts/floors/derive-runtimes.mjs [glibc,musl,rust,python,java]
//
// Java is the one on the PATH: the others keep what was captured of them.
//
// Writes scripts/floors/captured/runtimes.json: runtime -> call -> the ways that made it after the program's entry (every
// way: any recording shows it).
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
/** Java's, with any collector; the others with the one that it takes of its own accord. */
const JAVA_HEAP_WAYS = ['memory', 'collect', 'threads', 'full', 'exit', ''];
const JAVA_WAYS = [
  'parallel',
  'jit',
  'timers',
  'exceptions',
  'text',
  'loading',
  'halt',
  'elsewhere',
  'hooks',
  'daemon',
  'uncaught',
  'thread',
  'deep',
  'terminated',
  'interrupted',
  'hangup',
  'dump',
  'handled',
];
const JAVA_FLAGS = {
  '': '-Xmx64m',
  serial: '-XX:+UseSerialGC -Xmx64m -Xms8m',
  g1: '-XX:+UseG1GC -Xmx64m -Xms8m',
  parallelGC: '-XX:+UseParallelGC -Xmx64m -Xms8m',
  z: '-XX:+UseZGC -Xmx64m -XX:ZCollectionInterval=0.05 -XX:ZUncommitDelay=0',
  shenandoah: '-XX:+UseShenandoahGC -Xmx64m -Xms8m',
  interpreted: '-Xint -Xmx64m',
  eight: '-XX:ActiveProcessorCount=8 -Xmx128m',
  bare: '-XX:-UsePerfData -Xshare:off -Xss512k -Xmx64m',
};
const ENVIRONMENTS = [
  {},
  { LC_ALL: 'C.UTF-8', TZ: 'Europe/Berlin' },
  { LANG: 'de_DE.UTF-8', RUST_BACKTRACE: '1', MALLOC_ARENA_MAX: '2', JAVA_TOOL_OPTIONS: '-Dsome=option' },
];
/** Standard input, output and error. */
const STREAMS = ['</dev/null >out 2>err', '</dev/null 2>&1 | cat >out', '</dev/null >/dev/null 2>&1'];

const source = (path) => join(ROOT, 'test/programs', path);
const build = (output, compiler, ...words) => {
  execFileSync(compiler, [...words, '-o', join(work, output)], { stdio: ['ignore', 'ignore', 'inherit'] });
  return join(work, output);
};
const everywhere = ENVIRONMENTS.flatMap((environment) => STREAMS.map((streams) => ({ environment, streams })));
const program = (command, ways) => ways.map((way) => ({ command: `${command} ${way}`, label: way || 'nothing' }));
const RUNTIMES = {
  glibc: () => [
    ...program(build('dynamic', 'gcc', '-O1', source('libc-stress/stress.c')), LIBC_WAYS),
    ...program(build('static', 'gcc', '-O1', '-static', source('libc-stress/stress.c')), LIBC_WAYS),
  ],
  musl: () => [
    ...program(build('musl', 'musl-gcc', '-O1', source('libc-stress/stress.c')), LIBC_WAYS),
    ...program(build('musl-static', 'musl-gcc', '-O1', '-static', source('libc-stress/stress.c')), LIBC_WAYS),
  ],
  rust: () => program(build('rust', 'rustc', '-O', source('rust-stress/stress.rs')), RUST_WAYS),
  python: () => program(`/usr/bin/python3 ${source('python-stress/stress.py')}`, PYTHON_WAYS),
  java: javaRuns,
};

/** Each of them in three surroundings, not in all, as there are many. */
function javaRuns() {
  const classes = join(work, 'classes');
  mkdirSync(classes);
  execFileSync('javac', ['-nowarn', '-d', classes, source('java-stress/Stress.java')], { stdio: 'ignore' });
  execFileSync('jar', ['--create', '--file', join(work, 'stress.jar'), '-C', classes, '.']);
  return Object.entries(JAVA_FLAGS).flatMap(([name, flags]) =>
    [...JAVA_HEAP_WAYS, ...(name === '' ? JAVA_WAYS : [])].map((way) => ({
      command: `java ${flags} -cp ${join(work, 'stress.jar')} Stress ${way}`,
      label: `${name} ${way || 'nothing'}`.trim(),
      surroundings: ENVIRONMENTS.map((environment, index) => ({ environment, streams: STREAMS[index] })),
      ...(way === 'dump' && { signal: 'SIGQUIT' }),
    })),
  );
}

/** `java 17`; the others' versions are in the docstrings of their floors. */
function keyOf(name) {
  if (name !== 'java') return name;
  const version = execFileSync('java', ['--version'], { encoding: 'utf8' });
  return `java ${/\d+/.exec(version)[0]}`;
}

/** Signals the recorded program once it is on its way. */
function signalLater({ command, signal }) {
  const wanted = `${command.trim().split(/ +/).join('\0')}\0`;
  const code = `
    const { readdirSync, readFileSync } = require('node:fs');
    setTimeout(() => {
      for (const pid of readdirSync('/proc').filter((name) => Number(name) > 0)) try {
        if (readFileSync('/proc/' + pid + '/cmdline', 'utf8') === ${JSON.stringify(wanted)}) process.kill(Number(pid), '${signal}');
      } catch {}
    }, 900)`;
  spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
}

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
  for (const { command, label, surroundings = everywhere, signal } of RUNTIMES[name]())
    for (const { environment, streams } of surroundings)
      for (const prefix of ['', `node ${SELKIE} run -p ${older}`]) {
        if (signal) signalLater({ command, signal });
        for (const call of record(command, environment, streams, prefix))
          calls.set(call, (calls.get(call) ?? new Set()).add(label));
      }
  const all = new Set([...calls.values()].flatMap((ways) => [...ways])).size;
  const listed = (ways) => (ways.size === all ? ['every way'] : [...ways].sort());
  captured[keyOf(name)] = Object.fromEntries([...calls].sort().map(([call, ways]) => [call, listed(ways)]));
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
