import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { selkie } from '../support/selkie.ts';

const OLD = `selkie: 1
arches: [x86_64, i386]
default: errno(EPERM)
syscalls:
  allow:
    - read
    - mount
    - write
    - socket: domain == AF_UNIX
`;

function scratch(context: TestContext, changed: (text: string) => string): string {
  const cwd = scratchFolder(context);
  writeFileSync(join(cwd, 'old.yaml'), OLD);
  writeFileSync(join(cwd, 'new.yaml'), changed(OLD));
  return cwd;
}

test('what the new one allows more and less, each way round, by the names that were given', (context) => {
  const cwd = scratch(context, (text) => text.replace('AF_UNIX', 'AF_INET').replace('mount', 'ptrace'));
  const there = selkie(['diff', 'old.yaml', 'new.yaml'], { cwd });
  assert.equal(there.status, 1, there.stderr);
  assert.equal(
    there.stdout,
    `new.yaml refuses with errno(EPERM) what old.yaml allows (i386, x86_64): mount
new.yaml allows what old.yaml refuses with errno(EPERM) (i386, x86_64): ptrace
new.yaml refuses with errno(EPERM) what old.yaml allows (i386, x86_64): socket: domain == AF_UNIX; for example socket(1, 0, 0)
new.yaml allows what old.yaml refuses with errno(EPERM) (i386, x86_64): socket: domain == AF_INET; for example socket(2, 0, 0)
each of old.yaml and new.yaml permits calls that the other does not
`,
  );
  const back = selkie(['diff', 'new.yaml', 'old.yaml'], { cwd });
  assert.match(back.stdout, /^old\.yaml allows what new\.yaml refuses with errno\(EPERM\) \(i386, x86_64\): mount$/m);
});

test('more of one, another answer, a longer list', (context) => {
  const cwd = scratch(context, (text) => text.replace('    - mount\n', ''));
  const less = selkie(['diff', 'old.yaml', 'new.yaml'], { cwd });
  assert.match(less.stdout, /^old\.yaml permits more: all that new\.yaml permits, and other calls$/m);
  writeFileSync(join(cwd, 'new.yaml'), OLD.replace('default: errno(EPERM)', 'default: errno(ENOSYS)'));
  const other = selkie(['diff', 'old.yaml', 'new.yaml'], { cwd }).stdout.split('\n');
  assert.match(other[0] as string, /^new\.yaml has errno\(ENOSYS\), old\.yaml errno\(EPERM\) \(i386\):$/);
  assert.ok(other.includes('old.yaml and new.yaml permit the same calls, and answer others differently'));
  assert.ok(other.every((line) => line.length <= 180));
  assert.match(other.join('\n'), /numbers \d+ to 4294967295/);
});

test('equal ones: 0; the same source twice is A and B; --json', (context) => {
  const cwd = scratch(context, (text) => text.replace('    - read\n', '').replace('- write', '- write\n    - read'));
  const equal = selkie(['diff', 'old.yaml', 'new.yaml'], { cwd });
  assert.deepEqual([equal.status, equal.stdout], [0, 'old.yaml and new.yaml do the same for every call\n']);
  assert.equal(selkie(['diff', 'old.yaml', 'old.yaml'], { cwd }).stdout, 'A and B do the same for every call\n');
  const input = OLD.replace('- mount', '- reboot');
  const json = JSON.parse(selkie(['diff', '--json', 'old.yaml', '-'], { cwd, input }).stdout);
  assert.deepEqual(json.permitsMore, { a: true, b: true });
  assert.deepEqual(
    json.differences.map(({ arch, name, a, b }: Record<string, string>) => [arch, name, a, b]),
    [
      ['i386', 'mount', 'allow', 'errno(EPERM)'],
      ['i386', 'reboot', 'errno(EPERM)', 'allow'],
      ['x86_64', 'mount', 'allow', 'errno(EPERM)'],
      ['x86_64', 'reboot', 'errno(EPERM)', 'allow'],
    ].sort((x, y) => (x[0] === y[0] ? 0 : (x[0] as string) < (y[0] as string) ? -1 : 1)),
  );
  assert.equal(selkie(['diff', 'old.yaml', 'none.yaml'], { cwd }).status, 2);
  assert.equal(selkie(['diff', 'old.yaml'], { cwd }).status, 2);
});
