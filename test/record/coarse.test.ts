import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSubset } from '../../src/decision/compare.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { diagramOfPolicy } from '../../src/decision/from-policy.ts';
import type { Policy } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { setMembers } from '../../src/policy/sets.ts';
import { coarsen } from '../../src/record/coarse.ts';
import type { Evidence } from '../../src/record/evidence.ts';
import { temporaryFolder } from '../support/folders.ts';
import { selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
const read = (name: string): Policy => parsePolicy(readFileSync(join(folder, name), 'utf8'));

const seen = (names: readonly string[]): Evidence[] =>
  names.map((syscall) => ({
    exe: '/p',
    arch: 'x86_64',
    syscall,
    nr: 0,
    phase: 'program',
    condition: null,
    runs: 1,
    count: 1,
  }));
const text = (rules: readonly string[]): string =>
  `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\nbad_arch: kill_process\nsyscalls:\n  allow:\n${rules.map((rule) => `    - ${rule}\n`).join('')}`;
const lines = (policy: Policy): readonly string[] =>
  printPolicy(policy)
    .split('\n')
    .filter((line) => line.startsWith('    - '))
    .map((line) => line.slice(6));

test('a set stands for its names from a third on, and says what more it permits', () => {
  const members = (setMembers(1, 'poll') ?? []).map(({ name }) => name);
  const names = ['epoll_ctl', 'epoll_wait', 'poll', 'ppoll', 'select', 'eventfd2'].filter((name) =>
    members.includes(name),
  );
  const policy = parsePolicy(text([...names, 'getpid']));
  const [getpid, set, ...rest] = lines(coarsen(policy, seen([...names, 'getpid'])));
  assert.deepEqual([getpid, rest], ['getpid', []]);
  assert.match(set ?? '', new RegExp(`^"@poll" # coarse: ${names.length} of \\d+ seen; permits also .*epoll_create`));
  for (const name of names) assert.doesNotMatch(set ?? '', new RegExp(`also .*\\b${name}\\b`));
  const few = names.slice(0, 2);
  assert.deepEqual(lines(coarsen(parsePolicy(text(few)), seen(few))), few);
});

test('conditions, comments and dangerous sets stay as they are, and to coarsen twice changes nothing', () => {
  const rules = [
    'bind',
    'connect',
    'listen # reviewed',
    'accept4',
    'recvfrom',
    'sendto',
    'setsockopt',
    'socket: domain == AF_UNIX',
  ];
  const names = ['bind', 'connect', 'listen', 'accept4', 'recvfrom', 'sendto', 'setsockopt', 'socket'];
  const once = coarsen(parsePolicy(text(rules)), seen(names));
  assert.deepEqual(lines(once).slice(0, 2), ['listen # reviewed', 'socket: domain == AF_UNIX']);
  assert.match(lines(once)[2] ?? '', /^"@network" # coarse: 8 of /);
  assert.equal(printPolicy(coarsen(parsePolicy(printPolicy(once)), seen(names))), printPolicy(once));
  const exec = ['execve', 'execveat', 'ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'perf_event_open'];
  assert.deepEqual(lines(coarsen(parsePolicy(text(exec)), seen(exec))), exec);
});

const TALK = `import os, socket
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); c = socket.create_connection(s.getsockname()); a, _ = s.accept()
a.send(b'x'); c.recv(1); a.setsockopt(1, 2, 1); a.getpeername(); c.shutdown(2)`;

test('record --coarse permits what record permits, and more; it goes on so with --merge', {
  skip: missingTools('python3'),
}, () => {
  const words = (name: string, ...more: string[]) => ['record', '-q', ...more, '-o', name, 'python3', '-c', TALK];
  assert.equal(selkie(words('fine.yaml'), { cwd: folder }).status, 0);
  assert.equal(selkie(words('coarse.yaml', '--coarse'), { cwd: folder }).status, 0);
  const network = read('coarse.yaml').syscalls.find(({ call }) => call.kind === 'set' && call.name === 'network');
  assert.match(network?.comment ?? '', / coarse: \d+ of \d+ seen; permits also .*sendmmsg/);
  assert.ok(read('coarse.yaml').syscalls.length < read('fine.yaml').syscalls.length - 8);
  const space = new Diagrams();
  const [fine, broad] = ['fine.yaml', 'coarse.yaml'].map((name) => diagramOfPolicy(space, resolvePolicy(read(name))));
  assert.ok(isSubset(space, [fine as number, broad as number]));
  const again = readFileSync(join(folder, 'coarse.yaml'), 'utf8');
  assert.equal(selkie(words('coarse.yaml', '--coarse', '--merge'), { cwd: folder }).status, 0);
  assert.equal(readFileSync(join(folder, 'coarse.yaml'), 'utf8'), again);
});
