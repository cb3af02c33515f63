import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { compileC } from '../support/programs.ts';
import { selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const SOURCE = `#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
__attribute__((noinline)) int connect_out(void) { return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0; }
int main(void) { int first = connect_out(); connect_out(); return first; }
`;
const policy = (action: string): string =>
  `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  ${action}:\n    - socket\n`;

for (const nobody of [false, true])
  test(`a denied call gets the policy's errno and one line${nobody ? ', as uid 65534' : ''}`, {
    skip: missingTools('gcc'),
  }, (context) => {
    const folder = scratchFolder(context);
    const file = compileC(folder, 'victim', SOURCE, ['-static']);
    writeFileSync(join(folder, 'p.yaml'), policy('errno(EACCES)'));
    const { status, stderr } = selkie(['run', '--explain', '-p', 'p.yaml', file], { cwd: folder, nobody });
    assert.equal(status, 13, stderr);
    const line =
      'denied socket(AF_INET, SOCK_STREAM, IPPROTO_IP) → EACCES ×2 in victim at socket (victim), thread main; to permit it: allow socket';
    assert.ok(stderr.includes(line), stderr);
  });

test('kill_process is the death by SIGSYS that the kernel gives, also where SIGSYS is caught', {
  skip: missingTools('gcc'),
}, (context) => {
  const folder = scratchFolder(context);
  const caught = SOURCE.replace('int main(void) {', '#include <signal.h>\nint main(void) { signal(SIGSYS, SIG_IGN);');
  const file = compileC(folder, 'victim', caught);
  writeFileSync(join(folder, 'p.yaml'), policy('kill_process'));
  const explained = selkie(['explain', '-p', 'p.yaml', '--json', file], { cwd: folder });
  assert.equal(explained.status, 128 + 31, explained.stderr);
  const lines = explained.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ event, answer, function: name }) => [event, answer, name]),
    [
      ['denied', 'kill_process', 'socket'],
      ['total', 'kill_process', 'socket'],
    ],
  );
});
