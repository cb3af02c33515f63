// Derives what Go's runtime calls: builds test/programs/go-stress with each Go version there is, runs every program in its
// variants under strace, and joins the calls made after the program's entry. Slow (minutes for each version); CI never runs it.
//
//   node scripts/floors/derive.mjs [--go 1.26,1.19] [--programs gc,idle] [--load] [--report]
//
// Writes scripts/floors/captured/go.json: version -> call -> the runs that made it. Versions already captured are joined with
// what this run sees. --report only compares the captured calls with the floor (needs a build: build/src/facts/floors.js).
import { execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = new URL('../..', import.meta.url).pathname;
const PROGRAMS = join(ROOT, 'test/programs/go-stress');
const CAPTURED = join(ROOT, 'scripts/floors/captured/go.json');
const WORKERS = 2;
const LIMIT_MS = 120_000;

/** The newest patch release of each minor version; 1.19 is Debian's package golang-1.19-go. */
const TOOLCHAINS = ['1.20.14', '1.21.13', '1.22.12', '1.23.12', '1.24.13', '1.25.9'];

/** What each program is run with besides nothing; `stop` sends SIGSTOP and SIGCONT, `closed` closes a descriptor, `softFiles` lowers a limit. */
const VARIANTS = {
  gc: [
    { GODEBUG: 'madvdontneed=1' },
    { GODEBUG: 'madvdontneed=0' },
    { GOGC: '1' },
    { GOMEMLIMIT: '4MiB' },
    { GODEBUG: 'gcstoptheworld=2' },
  ],
  preempt: [{ GODEBUG: 'asyncpreemptoff=1' }, { GOMAXPROCS: '1' }, { GOMAXPROCS: '8' }],
  threads: [{ GOMAXPROCS: '1' }, { GOMAXPROCS: '16' }],
  timers: [{ stop: '1' }, { GOMAXPROCS: '1' }],
  blocked: [{ stop: '1' }],
  idle: [{ stop: '1', IDLE_SECONDS: '4' }],
  netpoll: [{ stop: '1' }, { GOMAXPROCS: '1' }],
  panic: [{ GOTRACEBACK: 'crash' }, { GOTRACEBACK: 'all' }],
  nilderef: [{ GOTRACEBACK: 'crash' }],
  deadlock: [{ GOTRACEBACK: 'crash' }],
  mapfatal: [{ GOTRACEBACK: 'system' }],
  stdio: [{ closed: '0' }, { closed: '1' }, { closed: '2' }],
  random: [{ softFiles: '512' }],
  maxprocs: [{ GOGC: '5' }],
};

const { values: options } = parseArgs({
  options: {
    go: { type: 'string' },
    programs: { type: 'string' },
    load: { type: 'boolean' },
    report: { type: 'boolean' },
  },
});
const captured = existsSync(CAPTURED) ? JSON.parse(readFileSync(CAPTURED, 'utf8')) : {};
if (options.report) await report();
else await derive();

async function derive() {
  const work = mkdtempSync(join(tmpdir(), 'selkie-floors-'));
  const load = options.load ? [1, 2].map(() => spawn('sh', ['-c', 'while :; do :; done'])) : [];
  try {
    for (const go of compilers().filter(({ minor }) => options.go?.split(',').includes(minor) ?? true)) {
      await deriveOne(go, work);
      writeFileSync(CAPTURED, print(captured));
    }
  } finally {
    for (const child of load) child.kill('SIGKILL');
    rmSync(work, { recursive: true, force: true });
  }
}

function compilers() {
  const found = [];
  if (existsSync('/usr/lib/go-1.19/bin/go')) found.push({ command: '/usr/lib/go-1.19/bin/go', env: {} });
  for (const version of TOOLCHAINS) found.push({ command: 'go', env: { GOTOOLCHAIN: `go${version}` } });
  found.push({ command: 'go', env: { GOTOOLCHAIN: 'local' } });
  return found.flatMap((go) => {
    try {
      const said = execFileSync(go.command, ['version'], { env: { ...process.env, ...go.env }, encoding: 'utf8' });
      const version = said.split(' ')[2];
      return [{ ...go, version, minor: version.replace(/^go(\d+\.\d+).*/, '$1') }];
    } catch {
      console.log(`not to be had: ${JSON.stringify(go.env)}`);
      return [];
    }
  });
}

async function deriveOne(go, work) {
  const seen = {};
  captured[go.version] ??= {};
  for (const key of ['pure', 'cgo']) seen[key] = captured[go.version][key] ?? {};
  const jobs = [];
  const source = join(work, `source-${go.minor}`);
  cpSync(PROGRAMS, source, { recursive: true });
  // The go line decides GODEBUG's defaults (cgroup limits, names of mappings, timers): each version must run as its newest self.
  writeFileSync(join(source, 'go.mod'), `module go-stress\n\ngo ${go.minor}\n`);
  for (const entry of readdirSync(PROGRAMS, { withFileTypes: true }).filter((found) => found.isDirectory())) {
    const program = entry.name;
    if (options.programs?.split(',').includes(program) === false) continue;
    const kind = program === 'cgo' ? 'cgo' : 'pure';
    const binary = join(work, `${program}-${go.minor}`);
    const env = { ...process.env, ...go.env, CGO_ENABLED: kind === 'cgo' ? '1' : '0', GOFLAGS: '-buildvcs=false' };
    await run(go.command, ['build', '-o', binary, `./${program}`], { cwd: source, env });
    for (const variant of [{}, ...(VARIANTS[program] ?? [])]) jobs.push({ program, kind, binary, variant });
  }
  await Promise.all(
    Array.from({ length: WORKERS }, async (_, worker) => {
      for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
        const trace = join(work, `trace-${worker}`);
        await traceOne(job, trace);
        const words = Object.entries(job.variant).map(([name, value]) => `${name}=${value}`);
        const label = [job.program, ...words].join(' ');
        for (const call of callsAfterEntry(readFileSync(trace, 'utf8'), job.kind)) {
          seen[job.kind][call] ??= [];
          const labels = seen[job.kind][call];
          if (!labels.includes(label)) labels.push(label);
        }
      }
    }),
  );
  captured[go.version] = seen;
  console.log(`${go.version}: ${Object.keys(seen.pure).length} calls, with cgo ${Object.keys(seen.cgo).length}`);
}

function traceOne({ binary, variant }, trace) {
  const { stop, closed, softFiles, ...env } = variant;
  const limit = softFiles === undefined ? '' : `ulimit -Sn ${softFiles}; `;
  const command = `${limit}exec ${binary}${closed === undefined ? '' : ` ${closed}<&-`}`;
  return new Promise((done) => {
    const child = spawn('strace', ['-f', '-o', trace, 'sh', '-c', command], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'ignore'],
      detached: true,
    });
    const end = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), LIMIT_MS);
    const pauses = stop === undefined ? undefined : setInterval(() => pause(binary), 200);
    child.on('exit', () => {
      clearTimeout(end);
      clearInterval(pauses);
      done();
    });
  });
}

/** Stops and continues the program (never strace): calls that slept then go on by restart_syscall. */
function pause(binary) {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== `${binary}\0`) continue;
      process.kill(Number(pid), 'SIGSTOP');
      setTimeout(() => process.kill(Number(pid), 'SIGCONT'), 40);
    } catch {
      // it ended in between
    }
  }
}

/**
 * A static program's entry follows its execve at once (the shell's own comes first). With a dynamic loader the entry is taken
 * to come after the loader's last act, the munmap of ld.so.cache.
 */
function callsAfterEntry(trace, kind) {
  const lines = trace.split('\n');
  let start = lines.findLastIndex((line) => /^\d+ +execve\(/.test(line)) + 1;
  if (kind === 'cgo') start += lines.slice(start).findIndex((line) => /^\d+ +munmap\(/.test(line)) + 1;
  const calls = new Set();
  for (const line of lines.slice(start)) {
    const match = /^\d+ +(?:<\.\.\. )?([a-z][a-z0-9_]*)(?:\(| resumed)/.exec(line);
    if (match) calls.add(match[1]);
  }
  return calls;
}

/** One line for each call. A variant is told only where the program without it did not make the call. */
function print(versions) {
  const lines = sortedEntries(versions).map(([version, kinds]) => {
    const printed = sortedEntries(kinds).map(([kind, calls]) => {
      const rows = sortedEntries(calls).map(([call, labels]) => {
        const told = labels.filter((label) => !label.includes(' ') || !labels.includes(label.split(' ')[0]));
        return `   ${JSON.stringify(call)}: ${JSON.stringify(told.sort()).replaceAll('","', '", "')}`;
      });
      return `  ${JSON.stringify(kind)}: {\n${rows.join(',\n')}\n  }`;
    });
    return ` ${JSON.stringify(version)}: {\n${printed.join(',\n')}\n }`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}

function sortedEntries(value) {
  return Object.entries(value).sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
}

async function report() {
  const { FLOORS, goFloor } = await import(join(ROOT, 'build/src/facts/floors.js'));
  const libc = new Set(FLOORS['glibc-threads'].map(({ name }) => name));
  for (const [version, kinds] of Object.entries(captured)) {
    const floor = new Set(goFloor(version).map(({ name }) => name));
    for (const [kind, calls] of Object.entries(kinds)) {
      const names = Object.keys(calls);
      const beyond = names.filter((name) => !floor.has(name) && !(kind === 'cgo' && libc.has(name)));
      console.log(`${version} ${kind}: ${names.length} seen; floor ${floor.size}`);
      for (const name of beyond) console.log(`  beyond the floor: ${name} (${calls[name].join(', ')})`);
      const whole = kind === 'cgo' ? [...libc] : [...floor];
      console.log(`  in the floor, never seen: ${whole.filter((name) => !(name in calls)).join(' ')}`);
    }
  }
}
