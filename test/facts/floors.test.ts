import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FLOORS, GO_NEWEST, GO_OLDEST, goFloor } from '../../src/facts/floors.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';

const names = (calls: readonly { name: string }[]): Set<string> => new Set(calls.map(({ name }) => name));
const versions = Array.from({ length: GO_NEWEST - GO_OLDEST + 1 }, (_, index) => `go1.${GO_OLDEST + index}.1`);

test('every call of a floor is a call of x86_64, stands there once and has a reason', () => {
  for (const [floor, calls] of Object.entries(FLOORS)) {
    assert.equal(names(calls).size, calls.length, `${floor} names a call twice`);
    for (const { name, reason } of calls) {
      assert.notEqual(syscallNumber('x86_64', name), undefined, name);
      assert.ok(reason.length >= 15 && !reason.endsWith('.'), `${floor}: ${name}: ${reason}`);
    }
  }
});

test('no floor opens what programs must ask for themselves', () => {
  for (const floor of ['go', 'glibc-threads', 'glibc', 'musl', 'rust', 'python', 'java']) {
    for (const closed of ['execve', 'execveat', 'socket', 'connect', 'ptrace', 'bpf', 'kill', 'unlinkat', 'mount']) {
      assert.ok(!names(FLOORS[floor] ?? []).has(closed), `${floor} opens ${closed}`);
    }
  }
});

test('no call is both allowed by a floor and answered ENOSYS', () => {
  const fallback = names(FLOORS.fallback);
  for (const [floor, calls] of Object.entries(FLOORS)) {
    if (floor !== 'fallback') for (const { name } of calls) assert.ok(!fallback.has(name), `${floor}: ${name}`);
  }
});

test("the floor of Go leaves room under the story's limit of 48 names", () => {
  assert.ok(FLOORS.go.length <= 40, String(FLOORS.go.length));
});

test('the end of the process, of a thread and of a signal handler are in every floor', () => {
  for (const floor of [FLOORS['glibc-threads'], ...versions.map(goFloor)]) {
    for (const name of ['exit', 'exit_group', 'rt_sigreturn', 'restart_syscall', 'futex', 'tgkill']) {
      assert.ok(names(floor).has(name), name);
    }
  }
});

test('versions differ where the runtime changed', () => {
  const has = (version: string, name: string): boolean => names(goFloor(version)).has(name);
  assert.deepEqual([has('go1.22.12', 'pipe2'), has('go1.22.12', 'eventfd2')], [true, false]);
  assert.deepEqual([has('go1.23.0', 'pipe2'), has('go1.23.0', 'eventfd2')], [false, true]);
  assert.deepEqual([has('go1.24.13', 'pread64'), has('go1.25.0', 'pread64')], [false, true]);
  assert.deepEqual([has('go1.23.12', 'prlimit64'), has('go1.24.0', 'prlimit64')], [false, true]);
});

test('an unknown version gets the nearest floor, an unreadable one all of it', () => {
  assert.deepEqual(goFloor('go1.16.3'), goFloor('go1.19'));
  assert.deepEqual(goFloor('go1.40.0'), goFloor('go1.26.8'));
  assert.deepEqual(goFloor('devel go1.26-abcdef'), goFloor('go1.26.8'));
  assert.equal(goFloor('devel').length, FLOORS.go.length);
});

/** version -> `pure` or `cgo` -> call -> stress programs that made it; see scripts/floors/derive.mjs. */
type Captured = Record<string, Record<'pure' | 'cgo', Record<string, string[]>>>;
const captured: Captured = JSON.parse(
  readFileSync(new URL('../../../scripts/floors/captured/go.json', import.meta.url), 'utf8'),
);

/** What the stress programs themselves ask for: kill in signals, os.Pipe in netpoll, crypto/rand in random. */
const ownCalls = ['kill signals', 'pipe2 netpoll', 'getrandom random'];

test('every call that a stress program made after its entry is in the floor of its Go version', () => {
  assert.equal(Object.keys(captured).length, versions.length);
  const libc = names([...FLOORS['glibc-threads'], ...FLOORS.fallback]);
  for (const [version, { pure, cgo }] of Object.entries(captured)) {
    const floor = names(goFloor(version));
    for (const [call, programs] of Object.entries(pure)) {
      const known =
        floor.has(call) || programs.every((program) => ownCalls.includes(`${call} ${program.split(' ')[0]}`));
      assert.ok(known, `${version}: ${call} of ${programs.join(', ')}`);
    }
    for (const call of Object.keys(cgo)) assert.ok(floor.has(call) || libc.has(call), `${version} with cgo: ${call}`);
  }
});

test('every call in a floor of Go was made by a stress program of that version, but for the clock without vDSO', () => {
  for (const [version, { pure }] of Object.entries(captured)) {
    const unseen = goFloor(version).filter(({ name }) => !(name in pure));
    assert.deepEqual(
      unseen.map(({ name }) => name),
      ['clock_gettime'],
      version,
    );
  }
});

/** runtime -> call -> ways of its stress program that made it; see scripts/floors/derive-runtimes.mjs. */
const runtimes: Record<string, Record<string, string[]>> = JSON.parse(
  readFileSync(new URL('../../../scripts/floors/captured/runtimes.json', import.meta.url), 'utf8'),
);

/** What the stress programs ask for: nanosleep, getchar, and java.net. */
const asked = ['clock_nanosleep times', 'nanosleep times', 'read stdio', 'getsockname loading', 'setsockopt loading'];

/** Left out on purpose: see src/facts/java-floor.ts. */
const leftOut: Readonly<Record<string, readonly string[]>> = { java: ['mkdir', 'unlink'] };

for (const [runtime, calls] of Object.entries(runtimes))
  test(`what ${runtime} called in some ways but not in all is in its floor`, () => {
    const [name = ''] = runtime.split(' ');
    const libc = ['rust', 'python', 'java'].includes(name) ? FLOORS.glibc : [];
    const floor = names([...(FLOORS[name] ?? []), ...libc, ...FLOORS.fallback]);
    for (const [call, callers] of Object.entries(calls).filter(([call]) => !leftOut[name]?.includes(call)))
      assert.ok(
        // Any recording shows what every run makes.
        callers[0] === 'every way' || floor.has(call) || callers.every((way) => asked.includes(`${call} ${way}`)),
        `${call} of ${callers.join(', ')}`,
      );
  });

test('every call in the floor of Java was made by its stress program, but for what only a stop brings', () => {
  const seen = new Set(
    Object.entries(runtimes).flatMap(([name, calls]) => (name.startsWith('java ') ? Object.keys(calls) : [])),
  );
  const unseen = FLOORS.java.filter(({ name }) => !seen.has(name)).map(({ name }) => name);
  assert.deepEqual(unseen, ['restart_syscall']);
});
