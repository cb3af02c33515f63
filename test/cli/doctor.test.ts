import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { executableOf } from '../../src/kernel/process.ts';
import { compareInPlace, examine } from '../support/doctor.ts';
import { scratchFolder } from '../support/folders.ts';
import { PLACES, type Place } from '../support/places.ts';
import { SELKIE, selkie } from '../support/selkie.ts';

for (const place of PLACES)
  test(`doctor says of every command what it then does: ${place.name}`, { skip: place.skip }, (context) => {
    compareInPlace(place, scratchFolder(context));
  });

const placed = (name: string): Place => PLACES.find((place) => place.name === name) as Place;

function because(place: Place, command: string, folder: string): string {
  return examine(place, folder).commands.find((verdict) => verdict.command === command)?.because ?? 'works';
}

test('doctor names EBUSY where another listener is on us', (context) => {
  const folder = scratchFolder(context);
  assert.match(because(placed('another listener'), 'record', folder), /listens already: EBUSY/);
});

test('doctor names the call that a filter refuses or kills for', (context) => {
  const folder = scratchFolder(context);
  assert.match(because(placed('no programs in memory'), 'run', folder), /memfd_create: EPERM/);
  const { skip } = placed('a filter that answers kill to seccomp');
  if (skip === false)
    assert.match(
      because(placed('a filter that answers kill to seccomp'), 'seal', folder),
      /seccomp\(SECCOMP_SET_MODE_FILTER\): killed by SIGSYS/,
    );
});

test('doctor on a dyno: what is refused is listed, and commands work all the same', (context) => {
  const report = examine(placed('a dyno'), scratchFolder(context));
  assert.deepEqual(
    report.refused.map(({ call }) => call),
    ['process_vm_readv', 'ptrace'],
  );
  const answer = (name: string) => report.features.find((feature) => feature.name === name)?.answer;
  assert.equal(answer('ptrace of a child'), 'no');
  assert.equal(answer('user namespaces'), 'no');
  assert.equal(answer('TSYNC'), 'yes');
  assert.equal(report.place.noNewPrivs, true);
});

test('doctor says whether record can use eBPF, as it then does, and why not', {
  skip: process.getuid?.() !== 0 && 'root can be somebody else',
}, (context) => {
  const folder = scratchFolder(context);
  const policy = join(folder, 'true.yaml');
  for (const prefix of [[], ['setpriv', '--reuid=65534', '--clear-groups']]) {
    const run = (...words: readonly string[]) => {
      const [program = '', ...args] = [...prefix, process.execPath, SELKIE, ...words];
      return spawnSync(program, args, { encoding: 'utf8' });
    };
    const said = /^by ebpf +(works|does not work, because (.+); what to do: .+)$/m.exec(run('doctor').stdout);
    const { status } = run('record', '--force', '--backend', 'ebpf', '-o', policy, 'true');
    assert.equal(said?.[1] === 'works', status === 0, said?.[0]);
    if (prefix.length > 0) assert.match(said?.[2] ?? '', /bpf\(2\): EPERM.*: no CAP_BPF and CAP_PERFMON/);
  }
});

test('doctor: a line for every command, soon, and nothing of it stays', (context) => {
  const folder = scratchFolder(context);
  const start = performance.now();
  const { status, stdout } = selkie(['doctor'], { env: { ...process.env, TMPDIR: folder } });
  const elapsedMs = performance.now() - start;
  assert.deepEqual([readdirSync(folder), processesOf(folder)], [[], []]);
  for (const command of ['record', 'run', 'seal', 'confine', 'explain', 'lift'])
    assert.match(stdout, new RegExp(`^${command} +(works|does not work, because .+; what to do: .+)$`, 'm'));
  assert.ok(status === 0 || status === 1);
  // It takes a quarter of a second; other tests use the processors too.
  assert.ok(elapsedMs < 3000, `${elapsedMs} ms`);
  assert.equal(selkie(['doctor', 'word']).status, 2);
});

/** Executables of living processes that lie, or lay, in a folder. */
function processesOf(folder: string): readonly string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => executableOf(Number(pid)) ?? '').filter((path) => path.startsWith(folder));
}
