import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkProgram } from '../../src/bpf/check.ts';
import { decodeProgram } from '../../src/bpf/codec.ts';
import { isConstantAllow } from '../../src/bpf/constant-allow.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import { policy } from '../../src/policy/builder.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { parseEvidence, parseHistory } from '../../src/record/evidence.ts';
import { knownCalls } from '../../src/record/known-calls.ts';
import { recordingFilter } from '../../src/record/recording-filter.ts';
import { temporaryFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { type Finished, selkie } from '../support/selkie.ts';

const folder = temporaryFolder();
/** getppid 1000 times (a set of no floor), write 1000 times (a floor's), and what its argument asks for, once. */
const PROGRAM = compileC(
  folder,
  'program',
  `#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  int null = open("/dev/null", O_WRONLY);
  for (int i = 0; i < 1000; i++) if (getppid() < 0 || write(null, "x", 1) != 1) return 1;
  if (argc > 1 && argv[1][0] == 's') getsid(0);
  if (argc > 1 && argv[1][0] == 't') { execl("/bin/true", "true", NULL); return 2; }
  return 0; }`,
);
const OTHER = compileC(
  folder,
  'other',
  '#include <unistd.h>\nint main(void) { for (int i = 0; i < 9; i++) getppid(); return 0; }',
);

const evidence = () => parseEvidence(readFileSync(join(folder, 'p.evidence.json'), 'utf8'), 'p');
const history = () => parseHistory(readFileSync(join(folder, 'p.evidence.json'), 'utf8'), 'p');
const lineOf = (call: string, exe = PROGRAM, phase = 'program') =>
  evidence().find((line) => line.exe === exe && line.syscall === call && line.phase === phase);
const counted = (call: string, exe = PROGRAM): readonly unknown[] => {
  const line = lineOf(call, exe);
  return [line?.runs, line?.count];
};

function round(command: readonly string[], existing: readonly string[] = ['--merge']): Finished {
  const finished = selkie(['record', '--json', ...existing, '-o', 'p.yaml', ...command], { cwd: folder });
  assert.equal(finished.status, 0, finished.stderr);
  return finished;
}

test('record --merge: known calls run natively once they change no estimate, new ones are seen, and history stays right', () => {
  round([PROGRAM], []);
  assert.deepEqual(
    [counted('getppid'), counted('write')],
    [
      [1, 1000],
      [1, 1000],
    ],
  );
  // getppid was shown by one run alone: whether this one shows it too must be seen. write is of the floor.
  const second = JSON.parse(round([PROGRAM]).stderr);
  assert.deepEqual(
    [counted('getppid'), counted('write')],
    [
      [2, 2000],
      [1, 1000],
    ],
  );
  assert.deepEqual([second.completeness.once, second.added], [[], []]);
  const third = JSON.parse(round([PROGRAM, 's']).stderr);
  assert.deepEqual(
    [counted('getppid'), counted('write'), counted('getsid')],
    [
      [2, 2000],
      [1, 1000],
      [1, 1],
    ],
  );
  assert.deepEqual([third.added, third.completeness.once, third.completeness.runs], [['getsid'], ['getsid'], 3]);
  assert.ok(third.known.includes('write') && third.known.includes('getppid') && third.recorded.includes('write'));
  assert.ok(third.calls < 100, `${third.calls}`);
  assert.deepEqual(history(), { runs: 3, quiet: [1, 0] });
  // getsid is not known yet, and is seen again.
  round([PROGRAM, 's']);
  assert.deepEqual(counted('getsid'), [2, 2]);
  assert.deepEqual(history(), { runs: 4, quiet: [1, 1] });
});

test('start-up is told from the program where most calls are not seen, and the boundary is the entry still', () => {
  const { boundary, start } = JSON.parse(round([PROGRAM]).stderr);
  assert.equal(boundary, 'entry');
  assert.ok(start.includes('mmap'));
  assert.equal(lineOf('mmap')?.phase ?? 'none', 'none');
  assert.equal(lineOf('brk', PROGRAM, 'start')?.runs, 5);
});

test('an executable that is new is seen; from then on only what both called is known', () => {
  assert.ok(JSON.parse(round([PROGRAM, 't']).stderr).executables.some((path: string) => path.endsWith('/true')));
  const parsed = {
    policy: parsePolicy(readFileSync(join(folder, 'p.yaml'), 'utf8')),
    history: history(),
    evidence: evidence(),
  };
  assert.ok(!knownCalls(parsed).includes('getppid'));
  round([OTHER]);
  assert.deepEqual(counted('getppid', OTHER), [1, 9]);
});

test('the filter means what its policy would, and the kernel need not run it for known calls', () => {
  const known = ['read', 'write', 'openat', 'mmap'];
  const program = decodeProgram(recordingFilter(known));
  checkProgram(program);
  for (const name of known)
    assert.ok(isConstantAllow(program, ARCHES.x86_64.token, syscallNumber('x86_64', name) as number), name);
  const base = policy({ default: 'notify', badArch: 'notify', arches: ['x86_64'] });
  const wanted = known.reduce((built, name) => built.allow(name), base).build();
  const space = new Diagrams();
  const compiled = compilePolicy(wanted, { probe: true }).program;
  assert.equal(diagramOfProgram(space, program), diagramOfProgram(space, compiled));
});
