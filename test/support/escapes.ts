import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runCommand } from './selkie.ts';

/**
 * Ways out of a confined Node, each tried there: number and arguments of a call of x86_64 that natively gives another answer than EPERM and ENOSYS,
 * as its arguments are wrong or harmless.
 */
const CALLS: Readonly<Record<string, readonly [number, ...number[]]>> = {
  execve: [59, 0, 0, 0],
  execveat: [322, -1, 0, 0, 0, 0],
  'clone, namespaces': [56, 0x10000000 | 0x800],
  'clone, signal handlers without memory': [56, 0x800],
  'clone, a mount namespace beside shared memory': [56, 0x100 | 0x200 | 0x20000],
  ptrace: [101, 99, -1],
  process_vm_writev: [311, -1, 0, 0, 0, 0, 0],
  bpf: [321, -1, 0, 0],
  mount: [165, 0, 0, 0, 0, 0],
  umount2: [166, 0, -1],
  pivot_root: [155, 0, 0],
  chroot: [161, 0],
  unshare: [272, 0],
  setns: [308, -1, 0],
  io_uring_setup: [425, 0, 0],
  io_uring_enter: [426, -1, 0, 0, 0, 0, 0],
  io_uring_register: [427, -1, 0, 0, 0],
  perf_event_open: [298, 0, 0, -1, -1, 0],
  keyctl: [250, -1, 0],
  personality: [135, 0xffffffff],
  open_by_handle_at: [304, -1, 0, 0],
  'seccomp, a listener': [317, 1, 8, 0],
  setuid: [105, -1],
  pidfd_getfd: [438, -1, 0, 0],
};
const SIGSYS = 'SIGSYS';

/** @throws AssertionError where a way is open, or a call would be refused without the filter too */
export function checkEscapes(node: string, folder: string): void {
  const free = answers(node, folder, false);
  const confined = answers(node, folder, true);
  for (const name of Object.keys(CALLS)) {
    assert.ok(!isRefusal(free[name]), `${name} is refused here without a filter: ${free[name]}`);
    assert.ok(isRefusal(confined[name]), `${name}: ${confined[name]}`);
  }
  assert.deepEqual([free.child, confined.child], ['none', 'EPERM']);
  assert.deepEqual([free.worker, confined.worker], ['none', 'EPERM']);
  for (const way of ['x32', 'int80']) {
    assert.equal(run(node, folder, way, false).status, 0, way);
    assert.equal(run(node, folder, way, true).signal, SIGSYS, way);
  }
}

function isRefusal(answer: number | string | undefined): boolean {
  return answer === -1 || answer === -38;
}

function answers(node: string, folder: string, isConfined: boolean): Readonly<Record<string, number | string>> {
  const { status, stdout, stderr } = run(node, folder, 'calls', isConfined);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

function run(node: string, folder: string, way: string, isConfined: boolean): ReturnType<typeof runCommand> {
  const script = join(folder, 'escape.mjs');
  writeFileSync(
    script,
    `
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { confine } from '${ROOT}build/src/confine.js';
import { trySyscall } from '${ROOT}build/src/kernel/libc.js';
import { machineCode } from '${ROOT}build/src/kernel/machine-code.js';

// mov eax, 20 (getpid of i386); int 0x80; ret
const int80 = machineCode('int80', Uint8Array.of(0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3));
const [way, isConfined] = process.argv.slice(2);
if (isConfined === 'true') confine({ allow: ['@stdio', '@files', '@read'] });
if (way === 'int80') process.exitCode = int80(new Uint8Array(8)) === process.pid ? 0 : 1;
else if (way === 'x32') trySyscall(0x40000000 + 39);
else {
  const answers = {};
  for (const [name, [nr, ...args]] of Object.entries(${JSON.stringify(CALLS)})) answers[name] = trySyscall(nr, ...args);
  answers.child = spawnSync('/bin/true').error?.code ?? 'none';
  const code = "const { spawnSync } = require('node:child_process'); require('node:worker_threads').parentPort.postMessage(spawnSync('/bin/true').error?.code ?? 'none')";
  [answers.worker] = await once(new Worker(code, { eval: true }), 'message');
  console.log(JSON.stringify(answers));
}
`,
  );
  return runCommand([node, script, way, String(isConfined)], { cwd: folder, timeout: 60_000 });
}
