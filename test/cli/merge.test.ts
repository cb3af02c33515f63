import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { syscallName } from '../../src/facts/syscalls.ts';
import {
  type Evidence,
  EvidenceUnion,
  mergeEvidence,
  parseEvidence,
  printEvidence,
} from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { ROOT, selkie } from '../support/selkie.ts';

const folder = temporaryFolder();

function line(exe: string, nr: number, address: bigint | undefined, denied: number): Evidence {
  const name = syscallName('x86_64', nr);
  return {
    exe,
    arch: 'x86_64',
    ...(name !== undefined && { syscall: name }),
    nr,
    phase: 'program',
    condition: null,
    runs: 1,
    count: 1 + denied,
    ...(denied > 0 && { denied }),
    ...(address !== undefined && { site: { address, module: '/usr/lib/x86_64-linux-gnu/libc.so.6', offset: address } }),
  };
}

const file = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom('/bin/a', '?'), fc.nat(5), fc.option(fc.bigInt(0n, 9n), { nil: undefined }), fc.nat(2))
    .map((parts) => line(...parts)),
  { selector: ({ exe, nr }) => `${exe} ${nr}` },
);

/** As files are merged: through text. */
function union(texts: readonly string[]): string {
  const all = new EvidenceUnion();
  for (const text of texts) all.add(parseEvidence(text, 'f'));
  return printEvidence(all.evidence());
}

test('the sum of evidence is the same bytes in any order and grouping', () =>
  fc.assert(
    fc.property(file, file, file, (...lists) => {
      const [a, b, c] = lists.map((list) => printEvidence(list)) as [string, string, string];
      const all = union([a, b, c]);
      assert.equal(union([c, a, b]), all);
      assert.equal(union([union([a, b]), c]), all);
      assert.equal(union([a, union([c, b])]), all);
      assert.equal(all, printEvidence(mergeEvidence(...lists)));
    }),
  ));

test('merge: 10,000 files of evidence by their names on standard input, within 300 MB', () => {
  const names: string[] = [];
  for (let index = 0; index < 10_000; index += 1) {
    const lines = Array.from({ length: 40 }, (_, nr) =>
      line(`/usr/bin/p${index % 50}`, nr * 3, BigInt(0x7f00_0000_0000 + index), 0),
    );
    const name = join(folder, `${index}.evidence.json`);
    writeFileSync(name, printEvidence(lines));
    names.push(name);
  }
  const started = performance.now();
  const out = join(folder, 'all.evidence.json');
  const rss = join(folder, 'rss.mjs');
  writeFileSync(
    rss,
    `import { writeFileSync } from 'node:fs';
process.on('exit', () => writeFileSync(${JSON.stringify(join(folder, 'rss'))}, String(process.resourceUsage().maxRSS)));`,
  );
  const { status, stderr } = selkie(['merge', '--from', '-', '-o', out], {
    input: names.join('\n'),
    env: { ...process.env, NODE_OPTIONS: `--import=${rss}` },
  });
  assert.equal(status, 0, stderr);
  const seconds = (performance.now() - started) / 1000;
  const megabytes = Number(readFileSync(join(folder, 'rss'), 'utf8')) / 1024;
  const lines = parseEvidence(readFileSync(out, 'utf8'), out);
  assert.equal(lines.length, 50 * 40);
  assert.ok(lines.every(({ runs }) => runs === 200));
  assert.ok(megabytes < 300, `${megabytes} MB`);
  assert.ok(seconds < 60, `${seconds} s`);
  console.log(`# 10,000 files, 400,000 lines: ${seconds.toFixed(1)} s, ${megabytes.toFixed(0)} MB`);
});

test('merge: policies to standard output in any order; kinds are not mixed, conflicts name both lines', () => {
  const text = (call: string, action = 'allow') =>
    `selkie: 1\nsets: 1\ndefault: errno(EPERM)\nbad_arch: kill_process\nsyscalls:\n  ${action}:\n    - ${call}\n`;
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const [a, b, c] = [
    write('a.yaml', text('read')),
    write('b.yaml', text('close')),
    write('c.yaml', text('read', 'log')),
  ];
  const merged = selkie(['merge', a, b]);
  assert.equal(merged.status, 0, merged.stderr);
  assert.match(merged.stdout, /- close\n {4}- read\n$/);
  assert.equal(selkie(['merge', b, a]).stdout, merged.stdout);
  const conflict = selkie(['merge', a, b, c]);
  assert.equal(conflict.status, 2);
  assert.match(conflict.stderr, /c\.yaml:7:7: "read" gets log here, but allow by .*a\.yaml:7/);
  const mixed = selkie(['merge', a, write('d.evidence.json', printEvidence([line('/bin/a', 0, 1n, 0)]))]);
  assert.equal(mixed.status, 2);
  assert.match(mixed.stderr, /a\.yaml" and ".*d\.evidence\.json": the first is a policy, the second evidence/);
  assert.equal(selkie(['merge']).status, 2);
  assert.equal(selkie(['merge', join(ROOT, 'no-such-file')]).status, 2);
});
