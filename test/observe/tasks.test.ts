// What a recorder keeps is bounded by what there is, not by what there was.
import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { executableMappings, processStatus } from '../../src/kernel/process.ts';
import { Tasks } from '../../src/observe/tasks.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('files of processes are read without a buffer for each', () => {
  const read = (times: number): void => {
    for (let time = 0; time < times; time += 1) {
      assert.equal(processStatus('self')?.tgid, process.pid);
      assert.notEqual(executableMappings(process.pid).length, 0);
    }
  };
  // Once the one buffer is as large as it has to be.
  read(1);
  const before = process.memoryUsage().arrayBuffers;
  read(100);
  assert.ok(process.memoryUsage().arrayBuffers <= before);
});

test('threads that end unseen are forgotten', () => {
  const tasks = new Tasks(() => ({}));
  // No such threads: pid_max is 2^22 at most.
  const see = (from: number, count: number): void => {
    for (let tid = from; tid < from + count; tid += 1) assert.equal(tasks.imageOf(tid).path, '[unknown]');
  };
  see(2 ** 22 + 1, 40_000);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  see(2 ** 23, 160_000);
  collectGarbage();
  const grownBy = process.memoryUsage().heapUsed - before;
  assert.ok(grownBy < 2 ** 20, `${grownBy} bytes`);
  assert.equal(tasks.images().length, 1);
});
