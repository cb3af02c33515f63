import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { SECCOMP_RET_ALLOW } from '../../src/facts/seccomp.ts';
import { errnoName, trySyscall } from '../../src/kernel/libc.ts';
import { PollSet } from '../../src/kernel/notify.ts';
import { executableOf, findMapping, ProcessMemory, processStatus, readMemory } from '../../src/kernel/process.ts';
import { notifSizes, tryActionAvailable } from '../../src/kernel/seccomp.ts';
import { eventDescriptor, raiseEvent, reap, receiveMessage, socketPair, spawnBlocked } from '../../src/kernel/spawn.ts';

test('a refused call gives -errno, and its name', () => {
  assert.equal(trySyscall(3, -1), -9);
  assert.equal(errnoName(9), 'EBADF');
  assert.equal(errnoName(11), 'EAGAIN');
  assert.equal(errnoName(4000), 'errno 4000');
});

test('the kernel knows the plainest action, and says how large its structs are', () => {
  assert.equal(tryActionAvailable(SECCOMP_RET_ALLOW), 0);
  assert.equal(notifSizes().data, 64);
});

test('spawnBlocked() starts a program with defaults and everything blocked, and reap() gives its status', async () => {
  const pid = spawnBlocked({ path: '/bin/sh', argv: ['sh', '-c', 'exit 7'], descriptors: [0, 1, 2] });
  let status: number | undefined;
  while (status === undefined) {
    status = reap(pid);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(status, 7 << 8);
});

test('a message keeps its bytes; a closed socket gives an empty one; an idle one none', () => {
  const [a, b] = socketPair();
  assert.equal(receiveMessage(a), undefined);
  trySyscall(1, b, Buffer.from('hello'), 5);
  assert.deepEqual(receiveMessage(a), { bytes: Uint8Array.from(Buffer.from('hello')), fd: undefined });
  trySyscall(3, b);
  assert.equal(receiveMessage(a)?.bytes.length, 0);
  trySyscall(3, a);
});

test('PollSet sees an event, and -1 leaves a place empty', () => {
  const fd = eventDescriptor();
  const set = new PollSet([-1, fd]);
  assert.equal(set.wait(0), 0);
  raiseEvent(fd);
  assert.equal(set.wait(0), 1);
  assert.ok(set.isReadable(1) && !set.isReadable(0) && !set.isHungUp(1));
  trySyscall(3, fd);
});

test('memory of a process is read and written at addresses beyond 2^32', () => {
  const status = processStatus('self');
  assert.equal(status?.tgid, process.pid);
  assert.equal(executableOf(process.pid), process.execPath);
  const memory = ProcessMemory.open(process.pid);
  assert.ok(memory);
  const maps = execFileSync('cat', [`/proc/${process.pid}/maps`], { encoding: 'utf8' });
  const line = maps.split('\n').find((text) => text.includes('libc.so') && text.includes(' 00000000 '));
  const address = BigInt(`0x${line?.split('-')[0]}`);
  assert.ok(address > 1n << 32n);
  const expected = Uint8Array.from([0x7f, 0x45, 0x4c, 0x46]);
  assert.deepEqual(memory.read(address, 4), expected);
  assert.deepEqual(readMemory(process.pid, address, 4), expected);
  assert.ok(memory.write(address, expected), 'a read-only mapping is written');
  assert.equal(memory.read(8n, 4), undefined);
  assert.match(findMapping(process.pid, address)?.name ?? '', /libc\.so/);
  memory.close();
});
