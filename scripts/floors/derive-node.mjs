// Derives what Node's runtime calls once a program runs: every program of test/programs/node-stress in its variants under strace, what
// comes after its mark. Slow (minutes); CI never runs it.
//
//   node scripts/floors/derive-node.mjs NODE [NODE...]
//
// NODE is a path of a node binary. Writes scripts/floors/captured/node.json: version -> call -> the runs that made it.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;
const PROGRAMS = join(ROOT, 'test/programs/node-stress');
const CAPTURED = join(ROOT, 'scripts/floors/captured/node.json');
const MARK = '/selkie-mark';
const LIMIT_MS = 60_000;
const ENDS = 'return exit code throw reject handlers stack pool worker abort memory really'.split(' ');

/** Programs with the words before and after their name; `stop` sends SIGSTOP and SIGCONT, `signals` others, `stdio` says what 0 to 2 are. */
const RUNS = [
  { program: 'gc' },
  { program: 'gc', flags: ['--expose-gc'] },
  { program: 'gc', flags: ['--single-threaded-gc'] },
  { program: 'workers' },
  { program: 'timers' },
  { program: 'timers', stop: true },
  { program: 'pool' },
  { program: 'signals', signals: ['SIGUSR2', 'SIGWINCH', 'SIGHUP'] },
  { program: 'signals', signals: ['SIGTERM'] },
  { program: 'wasm' },
  { program: 'clocks' },
  { program: 'stdio', stdio: 'file' },
  { program: 'stdio', stdio: 'pipe' },
  { program: 'stdio', stdio: 'null' },
  { program: 'stdio', stdio: 'tty' },
  ...ENDS.map((end) => ({ program: 'end', words: [end], flags: end === 'memory' ? ['--max-old-space-size=30'] : [] })),
];

const captured = existsSync(CAPTURED) ? JSON.parse(readFileSync(CAPTURED, 'utf8')) : {};
const work = mkdtempSync(join(tmpdir(), 'selkie-floors-'));
try {
  for (const node of process.argv.slice(2)) {
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    const seen = {};
    for (const run of RUNS) {
      const label = [
        run.program,
        ...(run.flags ?? []),
        ...(run.words ?? []),
        run.stdio,
        run.stop && 'stop',
        ...(run.signals ?? []),
      ];
      for (const call of callsAfterMark(await trace(node, run))) {
        seen[call] ??= [];
        seen[call].push(label.filter(Boolean).join(' '));
      }
    }
    captured[version] = seen;
    console.log(`${version}: ${Object.keys(seen).length} calls: ${Object.keys(seen).sort().join(' ')}`);
  }
  writeFileSync(CAPTURED, print());
} finally {
  rmSync(work, { recursive: true, force: true });
}

function trace(node, { program, flags = [], words = [], stop, signals = [], stdio }) {
  const file = join(work, 'trace');
  const command = [node, ...flags, join(PROGRAMS, `${program}.cjs`), ...words];
  const traced = ['strace', '-f', '-o', file, ...command];
  const [word, ...rest] = stdio === 'tty' ? ['script', '-qec', traced.join(' '), '/dev/null'] : traced;
  const shell =
    stdio === 'file'
      ? ['sh', '-c', `"$@" <${command[1]} >${join(work, 'out')} 2>&1`, 'sh', ...traced]
      : [word, ...rest];
  const streams = stdio === 'pipe' || stdio === 'tty' ? ['pipe', 'pipe', 'pipe'] : 'ignore';
  return new Promise((done) => {
    const child = spawn(shell[0], shell.slice(1), { stdio: streams, cwd: work });
    child.stdout?.resume();
    child.stderr?.resume();
    child.stdin?.end('some words\n');
    const end = setTimeout(() => send(command, 'SIGKILL'), LIMIT_MS);
    const pause = stop && setInterval(stopForAWhile, 150, command);
    for (const [index, signal] of signals.entries()) setTimeout(send, 650 + 150 * index, command, signal);
    child.on('exit', () => {
      clearTimeout(end);
      clearInterval(pause);
      done(readFileSync(file, 'utf8'));
    });
  });
}

function stopForAWhile(command) {
  send(command, 'SIGSTOP');
  setTimeout(send, 40, command, 'SIGCONT');
}

/** Signals the program, never strace. */
function send(command, signal) {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `${command.join('\0')}\0`) process.kill(Number(pid), signal);
    } catch {
      // it ended in between
    }
  }
}

function callsAfterMark(text) {
  const lines = text.split('\n');
  const mark = lines.findIndex((line) => line.includes(MARK));
  if (mark < 0) throw new Error(`no mark in the trace: ${lines.slice(-5).join('\n')}`);
  // Lines of what goes on ("<... read resumed>") are of calls that began before.
  return new Set(lines.slice(mark + 1).flatMap((line) => /^\d+ +([a-z][a-z0-9_]*)\(/.exec(line)?.[1] ?? []));
}

function print() {
  const sorted = (value) => Object.entries(value).sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
  const versions = sorted(captured).map(([version, calls]) => {
    const rows = sorted(calls).map(
      ([call, runs]) => `  ${JSON.stringify(call)}: ${JSON.stringify(runs).replaceAll('","', '", "')}`,
    );
    return ` ${JSON.stringify(version)}: {\n${rows.join(',\n')}\n }`;
  });
  return `{\n${versions.join(',\n')}\n}\n`;
}
