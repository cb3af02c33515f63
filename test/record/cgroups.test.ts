import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cgroupRoot } from '../../src/kernel/cgroups.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { pause, recordRunning, stop } from '../support/record-running.ts';
import { SELKIE } from '../support/selkie.ts';

const folder = temporaryFolder();
const name = `selkie-test-${process.pid}`;

/** A cgroup of v2 that tests may make others in, or why there is none. */
function makeRoot(): { readonly root: string; readonly skip: false | string } {
  try {
    if (!existsSync('/sys/kernel/btf/vmlinux')) return { root: '', skip: 'eBPF needs a kernel with BTF' };
    const root = join(cgroupRoot(), name);
    mkdirSync(root);
    return { root, skip: false };
  } catch (error) {
    return { root: '', skip: `no cgroup of v2 can be made: ${(error as Error).message}` };
  }
}
const { root, skip } = makeRoot();

const made: string[] = skip === false ? [root] : [];
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await pause(100);
  for (const cgroup of made.reverse()) if (existsSync(cgroup)) rmdirSync(cgroup);
});

function makeCgroup(...names: readonly string[]): string {
  const cgroup = join(root, ...names);
  mkdirSync(cgroup);
  made.push(cgroup);
  return cgroup;
}

/** Calls the number of its name, and one that others tell it by, for as long as it lives: `caller-110` calls 110. */
function startCaller(nr: number, environment: Record<string, string> = {}): ChildProcess {
  const source = `#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { for (;;) { syscall(${nr}); usleep(1000); } }`;
  const file = join(folder, `caller-${nr}`);
  if (!existsSync(file)) compileC(folder, `caller-${nr}`, source, ['-static', '-w']);
  const child = spawn(file, { stdio: 'ignore', env: { ...process.env, ...environment } });
  children.push(child);
  return child;
}

const move = (child: ChildProcess, cgroup: string): void => writeFileSync(join(cgroup, 'cgroup.procs'), `${child.pid}`);

const record = (words: readonly string[], act: (selkie: ChildProcess) => Promise<void>) =>
  recordRunning(folder, words, act);

test('a cgroup is recorded: what is in it and below it, and nothing else', { skip }, async () => {
  const [outer, inner] = [makeCgroup('a'), makeCgroup('a', 'b')];
  const outside = makeCgroup('ab');
  move(startCaller(110), outer);
  move(startCaller(111), inner);
  move(startCaller(112), outside);
  startCaller(115);
  for (const word of [outer, `/${name}/a`]) {
    const { status, stderr, numbers, evidence } = await record(['--cgroup', word], stop);
    assert.equal(status, 0, stderr);
    assert.ok(numbers.has(110) && numbers.has(111), stderr);
    assert.ok(!numbers.has(112) && !numbers.has(115));
    assert.ok(evidence.every(({ exe, phase }) => exe.startsWith(`${folder}/caller-11`) && phase === 'program'));
  }
});

test('processes that come are recorded from then on, those that leave no longer', { skip }, async () => {
  const cgroup = makeCgroup('moving');
  const below = makeCgroup('moving', 'below');
  const [leaves, comes, stays] = [startCaller(110), startCaller(111), startCaller(112)];
  move(leaves, cgroup);
  const { numbers, evidence, stderr } = await record(['--cgroup', cgroup], async (selkie) => {
    await pause(200);
    move(leaves, root);
    move(comes, below);
    // Started inside by a shell that moves itself.
    spawnSync('sh', ['-c', `echo $$ > ${cgroup}/cgroup.procs; sleep 0.01; cat /dev/null`]);
    await pause(1000);
    selkie.kill('SIGINT');
  });
  const count = evidence.find(({ nr }) => nr === 110)?.count ?? 0;
  assert.ok(stays.exitCode === null && !numbers.has(112), stderr);
  const came = evidence.find(({ nr }) => nr === 111)?.count ?? 0;
  assert.ok(count > 0 && came > 2 * count, `110: ${count}, 111: ${came}`);
  const images = evidence.map(({ exe }) => exe.slice(exe.lastIndexOf('/') + 1));
  assert.ok(
    ['sleep', 'cat'].every((image) => images.includes(image)),
    images.join(),
  );
});

test('the recording of a container ends with its cgroup; it is found by id, by what an id begins with, and by name', {
  skip,
}, async () => {
  const id = randomBytes(32).toString('hex');
  for (const [style, word] of [
    [`docker-${id}.scope`, id],
    [`cri-containerd-${id}.scope`, id.slice(0, 12)],
    [id, 'web.example'],
  ] as const) {
    const cgroup = makeCgroup(style);
    const monitor = makeCgroup(`libpod-conmon-${id}.scope`);
    const child = startCaller(110, { HOSTNAME: 'web.example' });
    move(child, cgroup);
    const { status, numbers, stderr } = await record(['--container', word], async () => {
      await pause(200);
      child.kill('SIGKILL');
      await pause(100);
      rmdirSync(cgroup);
    });
    assert.equal(status, 0, stderr);
    assert.ok(numbers.has(110));
    rmdirSync(monitor);
  }
});

test('what is not there is said with what is', { skip }, async () => {
  const id = randomBytes(32).toString('hex');
  const cgroup = makeCgroup(`docker-${id}.scope`);
  move(startCaller(110, { HOSTNAME: 'shop' }), cgroup);
  const refused = (...words: readonly string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [SELKIE, 'record', ...words], { encoding: 'utf8' });
    assert.notEqual(status, 0);
    return stderr;
  };
  assert.match(refused('--container', 'bank'), new RegExp(`"bank": there is none .*${id.slice(0, 12)} = shop`));
  assert.match(refused('--cgroup', '/nowhere'), /Cannot find cgroup "\/nowhere": there is none/);
  assert.match(refused('--cgroup', root, 'true'), /wanted a command, or one of/);
  assert.match(refused('--cgroup', root, '--runs', '2'), /several times/);
  if (existsSync('/sys/fs/cgroup/pids/cgroup.procs'))
    assert.match(refused('--cgroup', '/sys/fs/cgroup/pids'), /it is a cgroup of v1: use --pid/);
});

test('a cgroup in which nothing runs gives no policy', { skip }, async () => {
  const { status, stderr, evidence } = await record(['--cgroup', makeCgroup('empty')], stop);
  assert.notEqual(status, 0);
  assert.match(stderr, /nothing there made a call/);
  assert.deepEqual(evidence, []);
});
