import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseEvidence } from '../../src/record/evidence.ts';
import { toolChainNote } from '../../src/record/executables.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { selkie } from '../support/selkie.ts';

const folder = temporaryFolder();
const program = compileC(folder, 'service', '#include <unistd.h>\nint main(void) { getppid(); return 3; }');

test('sh -c: a note that the shell is recorded too; none for a program, or a shell alone', () => {
  const out = join(folder, 'all.yaml');
  const { stderr, status } = selkie(['record', '-o', out, 'sh', '-c', `${program}; exit 5`]);
  assert.equal(status, 5);
  assert.match(stderr, /note: the shell \w+ is recorded too: --exe NAME keeps one executable of \w+, service/);
  for (const command of [[program], ['sh', '-c', ':']])
    assert.doesNotMatch(selkie(['record', '--force', '-o', out, ...command]).stderr, /recorded too/);
});

test('toolChainNote() knows tool-chains, npm by the script that was executed', () => {
  const note = (path: string, ...images: string[]) => toolChainNote({ path, images });
  assert.match(
    note('/usr/bin/npm', '/usr/bin/node', '/usr/bin/dash') ?? '',
    /^npm and the shell dash are recorded too/,
  );
  assert.match(
    note('/go/bin/go', '/go/bin/go', '/tmp/exe/main') ?? '',
    /^the Go tool-chain is recorded too.* go, main$/,
  );
  assert.equal(note('/usr/bin/node', '/usr/bin/node', '/usr/bin/git'), undefined);
});

for (const wanted of ['service', program])
  test(`--exe ${wanted === program ? 'PATH' : 'NAME'} keeps one executable, and run can start it by the policy`, () => {
    const out = join(folder, 'one.yaml');
    const recorded = selkie(['record', '--force', '--exe', wanted, '-o', out, 'sh', '-c', `${program}; exit 5`]);
    assert.equal(recorded.status, 5, recorded.stderr);
    const lines = parseEvidence(readFileSync(join(folder, 'one.evidence.json'), 'utf8'), 'one');
    assert.deepEqual([...new Set(lines.map(({ exe }) => exe))], [program]);
    assert.ok(lines.some(({ syscall }) => syscall === 'getppid'));
    const confined = selkie(['run', '-p', out, program]);
    assert.equal(confined.status, 3, confined.stderr);
  });

test('--exe with a name that did not run is refused with those that did, and nothing is lost', () => {
  const { stderr, status } = selkie(['record', '--exe', 'other', '-o', join(folder, 'no.yaml'), program]);
  assert.equal(status, 125);
  assert.match(stderr, /Cannot keep "other": .*seen were .*\/service: .*no\.yaml has the calls of all/);
  assert.ok(parseEvidence(readFileSync(join(folder, 'no.evidence.json'), 'utf8'), 'no').length > 0);
});
