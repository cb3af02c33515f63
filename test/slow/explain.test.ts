// The bars of run --explain: the right function for each denial, and the story's list of names completed in few rounds.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { buildGo, GO_TOOLS } from '../support/go.ts';
import { loadCpus } from '../support/load.ts';
import { ROOT, runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const NAMES =
  'mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat chmod fchmodat chdir getppid socket umask truncate sync chroot flock listen'.split(
    ' ',
  );
const RUNS = Number(process.env.SELKIE_EXPLAIN_RUNS ?? 200);
const MOST_ROUNDS = 3;

interface Denied {
  readonly event: string;
  readonly call: string;
  readonly function: string;
  readonly caller?: string;
  readonly permit: string;
  readonly answer: string;
  readonly module: string;
  readonly floor?: string;
}

function denials(stderr: string): readonly Denied[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Denied)
    .filter(({ event }) => event === 'total');
}

const nameOf = ({ call }: Denied): string => call.replace(/\(.*/, '');

/** What the function of the C library that makes a call may be called: renameat2 is made by rename too, and so on. */
const isRightInC = ({ function: name, ...denied }: Denied): boolean =>
  [nameOf(denied as Denied), nameOf(denied as Denied).replace(/at2?$/, ''), 'remove'].includes(name.replace(/^_+/, ''));

/** syscall.Mkdirat by main.mkdirat: wrappers of Go are called as the call is, or by its older name. */
const isRightInGo = ({ function: name, caller = '', ...denied }: Denied): boolean => {
  const call = nameOf(denied as Denied);
  const wrapper = /^(?:syscall|internal\/syscall\/unix)\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  if (name === `main.${call}`) return caller.startsWith('main.main');
  const isWrapper = [call, call.replace(/at2?$/, ''), `${call}2`].includes(wrapper);
  return isWrapper && new RegExp(`^main\\.${call}\\b`).test(caller);
};

test('the function is right for 95 of 100 denials in Go, C, Rust and Node, and never wrong', {
  skip: missingTools('gcc', 'rustc', 'strip'),
}, (context) => {
  const folder = scratchFolder(context);
  const policy = join(folder, 'p.yaml');
  const rules = NAMES.map((name) => `    - ${name}\n`).join('');
  writeFileSync(policy, `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EPERM):\n${rules}`);
  const build = (words: readonly string[]): void => {
    const { status, stderr } = runCommand(words);
    assert.equal(status, 0, stderr);
  };
  const source = (name: string): string => join(ROOT, 'test/programs', name);
  const place = (name: string): string => join(folder, name);
  build(['gcc', '-O2', '-o', place('dynamic'), source('denied.c')]);
  build(['gcc', '-O2', '-static', '-o', place('static'), source('denied.c')]);
  build(['strip', '-o', place('dynamic-stripped'), place('dynamic')]);
  build(['rustc', '-O', '-o', place('rust'), source('denied.rs')]);
  const programs: (readonly [string, readonly string[], (denied: Denied) => boolean])[] = [
    ...['dynamic', 'static', 'dynamic-stripped', 'rust'].map((name) => [name, [place(name)], isRightInC] as const),
    ['node', [process.execPath, source('denied.cjs')], isRightInC],
  ];
  for (const { label, go, here } of GO_TOOLS)
    for (const flags of [[], ['-ldflags=-s -w']]) {
      if (!here) continue;
      const name = `${label} ${flags.join('')}`.replaceAll(' ', '_');
      buildGo(go, 'denied-go', place(name), { flags });
      programs.push([name, [place(name)], isRightInGo]);
    }
  const counts = { right: 0, unknown: 0, wrong: 0 };
  for (const [name, command, isRight] of programs) {
    const { stderr } = selkie(['explain', '-p', policy, '--json', ...command], { cwd: '/' });
    const found = denials(stderr);
    assert.ok(found.length >= 8, `${name}: ${stderr}`);
    for (const denied of found) {
      const kind = isRight(denied) ? 'right' : denied.function === 'unknown' ? 'unknown' : 'wrong';
      counts[kind] += 1;
      if (kind !== 'right') console.log(`${name}: ${kind}: ${JSON.stringify(denied)}`);
    }
  }
  console.log(JSON.stringify(counts));
  assert.equal(counts.wrong, 0);
  assert.ok(counts.right >= 60);
  assert.ok(counts.right >= 0.95 * (counts.right + counts.unknown));
});

for (const { label, go, here } of GO_TOOLS)
  for (const cgo of [false, true])
    test(`the names that strace -c lists become a policy that works in ${MOST_ROUNDS} rounds: ${label}, cgo ${cgo}`, {
      skip: !here || missingTools('strace'),
    }, (context) => {
      const folder = scratchFolder(context);
      const file = join(folder, 'makeTheFolder');
      const policy = join(folder, 'p.yaml');
      const made = join(folder, 'made');
      buildGo(go, 'story', file, { cgo });
      const table = runCommand(['strace', '-c', '-f', '-o', made, file], { cwd: folder });
      assert.equal(table.status, 0, table.stderr);
      const listed = runCommand(['awk', '$1 ~ /^[0-9.]+$/ && $NF != "total" { print $NF }', made]).stdout.trim();
      const names = new Set(listed.split('\n'));
      assert.ok(!names.has('exit_group'));
      const write = (): void => {
        const rules = [...names].map((name) => `    - ${name}\n`).join('');
        writeFileSync(
          policy,
          `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: kill_process\nsyscalls:\n  allow:\n${rules}  errno(ENOSYS):\n    - "@fallback"\n`,
        );
      };
      // Answered by ENOSYS, so that the C library takes clone.
      names.delete('clone3');
      const sizes = [names.size];
      const unload = loadCpus(availableParallelism());
      try {
        for (let rounds = 0; ; rounds += 1) {
          write();
          const missing = new Set<string>();
          let good = 0;
          for (let run = 0; run < RUNS && missing.size === 0; run += 1) {
            runCommand(['rm', '-rf', '/tmp/moo']);
            const { status, stderr } = selkie(['explain', '-p', policy, '--json', file], { cwd: folder });
            // ENOSYS is the policy's own answer to @fallback; functions inside of libc have no names there.
            for (const denied of denials(stderr).filter(({ answer }) => answer !== 'ENOSYS')) {
              missing.add(denied.floor === undefined ? denied.permit.slice('allow '.length) : `"${denied.floor}"`);
              if (denied.module === 'makeTheFolder')
                assert.notEqual(denied.function, 'unknown', JSON.stringify(denied));
            }
            if (status === 0) good += 1;
          }
          if (missing.size === 0) {
            console.log(
              `${label}, cgo ${cgo}: ${sizes.join(' → ')} names in ${rounds} rounds, then ${good} of ${RUNS}`,
            );
            assert.equal(good, RUNS);
            assert.ok(rounds <= MOST_ROUNDS, String(rounds));
            return;
          }
          for (const name of missing) names.add(name);
          sizes.push(names.size);
          console.log(`round ${rounds + 1}: ${[...missing].join(' ')}`);
        }
      } finally {
        unload();
      }
    });
