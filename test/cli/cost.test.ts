import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { encodeProgram } from '../../src/bpf/codec.ts';
import { OFFSET_ARGS, SECCOMP_RET_ALLOW } from '../../src/facts/seccomp.ts';
import { scratchFolder } from '../support/folders.ts';
import { load, ret } from '../support/rows.ts';
import { ROOT, SELKIE, selkie } from '../support/selkie.ts';

const POLICY = `selkie: 1
sets: 1
arches: [x86_64]
default: errno(EPERM)
syscalls:
  allow:
    - exit_group
    - getppid
    - fcntl: cmd in [F_GETFL, F_SETFL, F_GETFD]
`;

function policyFile(context: Parameters<typeof scratchFolder>[0], text = POLICY): string {
  const file = join(scratchFolder(context), 'p.yaml');
  writeFileSync(file, text);
  return file;
}

test('cost: the program, permitted calls, the refused ones, a summary', (context) => {
  const { status, stdout } = selkie(['cost', policyFile(context)]);
  assert.equal(status, 0);
  const lines = stdout.trim().split('\n');
  assert.match(lines[0] as string, /^\d+ instructions$/);
  assert.ok(
    lines.some((line) => /bitmap: 0 +exit_group$|bitmap: 0 +exit_group getppid$/.test(line)),
    stdout,
  );
  assert.ok(
    lines.some((line) => /^ +\d+( to \d+)? +fcntl$/.test(line)),
    stdout,
  );
  assert.match(lines.at(-1) as string, /\(3 permitted calls alike\); the bitmap \(Linux 5\.11\) serves 2 of them/);
});

test('cost --evidence: what record wrote weighs the calls', (context) => {
  const folder = scratchFolder(context);
  const recorded = selkie(['record', '-o', 'ls.yaml', 'ls'], { cwd: folder });
  assert.equal(recorded.status, 0, recorded.stderr);
  const { status, stdout } = selkie(['cost', 'ls.yaml', '--evidence', 'ls.evidence.json', '--json'], { cwd: folder });
  assert.equal(status, 0);
  const cost = JSON.parse(stdout);
  const seen = cost.calls.filter(({ count }: { count: number }) => count > 0);
  assert.equal(
    cost.weight,
    seen.reduce((sum: number, { count }: { count: number }) => sum + count, 0),
  );
  const weighed = seen.reduce((sum: number, { count, most }: { count: number; most: number }) => sum + count * most, 0);
  assert.ok(Math.abs(cost.mean - weighed / cost.weight) < 1e-9);
  const shown = selkie(['cost', 'ls.yaml', '--evidence', 'ls.evidence.json'], { cwd: folder }).stdout;
  assert.match(shown, /^ +\d+ × \d+.* close$/m);
  const wrong = selkie(['cost', 'ls.yaml', '--evidence', 'ls.yaml'], { cwd: folder });
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /ls\.yaml:1: Cannot read evidence/);
});

test('cost --measure: nanoseconds with the filter and without, as nobody too', (context) => {
  const file = policyFile(context);
  for (const nobody of [false, true]) {
    const { status, stdout } = selkie(['cost', file, '--measure', '--json'], { nobody });
    assert.equal(status, 0, stdout);
    const { calls } = JSON.parse(stdout).measured;
    assert.deepEqual(calls.map(({ kind }: { kind: string }) => kind).sort(), [
      'permitted by arguments',
      'permitted by its number',
      'refused by arguments',
      'refused by its number',
    ]);
    for (const { ns } of calls) {
      // A call takes some tens of nanoseconds: a wrong unit would be far off.
      assert.ok(ns.without > 5 && ns.without < 20_000, JSON.stringify(ns));
      assert.ok(Math.abs(ns.with - ns.without - ns.difference) < Math.max(ns.with, ns.without), JSON.stringify(ns));
    }
  }
});

test('cost --measure: a thousand instructions are seen', (context) => {
  const folder = scratchFolder(context);
  const difference = (loads: number): number => {
    const program = [...Array.from({ length: loads }, () => load(OFFSET_ARGS)), ret(SECCOMP_RET_ALLOW)];
    const file = join(folder, `${loads}.bpf`);
    writeFileSync(file, encodeProgram(program));
    const { measured, worst } = JSON.parse(selkie(['cost', file, '--measure', '--json']).stdout);
    assert.equal(worst, loads + 1);
    assert.equal(measured.calls[0].kind, 'permitted by its number');
    return measured.calls[0].ns.difference;
  };
  const [short, long] = [difference(1), difference(1000)];
  assert.ok(long > short + 50, `${short} ns, ${long} ns`);
});

test('cost --measure: where a filter forbids filters it says so', (context) => {
  const file = policyFile(context);
  const outer = policyFile(
    context,
    'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EACCES):\n    - seccomp: operation == SECCOMP_SET_MODE_FILTER && flags == 0\n',
  );
  const { status, stdout } = selkie(['run', '-p', outer, process.execPath, SELKIE, 'cost', file, '--measure'], {
    cwd: ROOT,
  });
  assert.equal(status, 1);
  assert.match(stdout, /cannot measure: seccomp: EACCES/);
});
