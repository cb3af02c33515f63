// Containers of real runtimes are found by what these leave in files; engines are test/slow/containers.test.ts.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { callerRoot, EnginePlace, editSpec } from '../support/engines.ts';
import { temporaryFolder } from '../support/folders.ts';
import { missingTools } from '../support/tools.ts';

for (const [index, runtime] of ['runc', 'crun'].entries())
  test(`a container of ${runtime} is found by its id, and by the name of its annotations`, {
    skip: missingTools(runtime) || EnginePlace.missing,
  }, async (context) => {
    const folder = temporaryFolder();
    const place = await EnginePlace.make(folder);
    context.after(() => place.close());
    const id = `selkie-test-${process.pid}-${runtime}`;
    const nr = 110 + index;
    callerRoot(folder);
    place.run(runtime, 'spec', '--bundle', folder);
    editSpec(join(folder, 'config.json'), ['/caller', `${nr}`], { 'io.kubernetes.cri.container-name': 'front' });
    place.start(runtime, 'run', '-d', '--bundle', folder, id);
    place.runAtEnd(runtime, 'delete', '-f', id);
    for (const word of [id, 'front']) {
      const { status, stderr, evidence, numbers } = await place.record(word);
      assert.equal(status, 0, stderr);
      assert.ok(numbers.has(nr), stderr);
      assert.ok(evidence.every(({ exe }) => exe === '/caller'));
    }
    const { status, stderr } = await place.record('back');
    assert.notEqual(status, 0);
    assert.match(stderr, new RegExp(`"back\\\\": there is none .*: found .*${id} = front`));
  });
