import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { COMMANDS } from '../../src/cli/commands.ts';
import { scratchFolder } from '../support/folders.ts';
import { selkie } from '../support/selkie.ts';

const GOOD_POLICY = `selkie: 1
sets: 1
arches: [x86_64]
default: errno(EPERM)
syscalls:
  allow:
    - exit_group
    - socket: domain == AF_UNIX
`;

test('selkie --help lists every command', () => {
  const { status, stdout } = selkie(['--help']);
  assert.equal(status, 0);
  for (const { name } of COMMANDS) assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
});

for (const { name } of COMMANDS)
  test(`selkie ${name} --help teaches with an example`, () => {
    const { status, stdout } = selkie([name, '--help']);
    assert.equal(status, 0);
    assert.match(stdout, /example:\n {2}\S/);
  });

test('an unknown command gets the nearest name and 125', () => {
  const { status, stderr } = selkie(['recrod']);
  assert.equal(status, 125);
  assert.match(stderr, /did you mean "record"/);
});

test('an unknown option gets the nearest name; 2 for tools, 125 for commands around another program', () => {
  const tool = selkie(['disasm', '--jsn', 'x']);
  assert.equal(tool.status, 2);
  assert.match(tool.stderr, /--json/);
  assert.equal(selkie(['run', '--polcy', 'x', 'true']).status, 125);
});

test('a bad policy: the file, the line, the column, exit code and no output', (context) => {
  const folder = scratchFolder(context);
  const file = join(folder, 'bad.yaml');
  writeFileSync(file, GOOD_POLICY.replace('exit_group', 'exit_gruop'));
  const shown = selkie(['disasm', file]);
  assert.equal(shown.status, 2);
  assert.match(shown.stderr, /bad\.yaml:7:7: .*did you mean "exit_group"/);
  assert.equal(selkie(['run', '-p', file, 'true']).status, 125);
  const sealed = selkie(['seal', '-p', file, '/bin/true', '-o', join(folder, 'out')]);
  assert.equal(sealed.status, 2);
  assert.equal(existsSync(join(folder, 'out')), false);
  const machine = JSON.parse(selkie(['disasm', '--json', file]).stdout);
  assert.equal(machine.error.line, 7);
});

test('a missing file is named, with the reason', () => {
  const { status, stderr } = selkie(['disasm', '/nonexistent/policy.yaml']);
  assert.equal(status, 2);
  assert.match(stderr, /"\/nonexistent\/policy\.yaml": no such file/);
});

test('simulate: fate of calls, exit code 1 when one is refused', (context) => {
  const file = join(scratchFolder(context), 'p.yaml');
  writeFileSync(file, GOOD_POLICY);
  const all = selkie(['simulate', '-p', file, 'socket(AF_UNIX, SOCK_STREAM, 0)', 'socket(AF_INET, SOCK_STREAM, 0)']);
  assert.equal(all.stdout, 'socket(AF_UNIX, SOCK_STREAM, 0) → allow\nsocket(AF_INET, SOCK_STREAM, 0) → errno(EPERM)\n');
  assert.equal(all.status, 1);
  const fromInput = selkie(['simulate', '-p', file], { input: 'exit_group(3)\n' });
  assert.equal(fromInput.stdout, 'exit_group(3) → allow\n');
  assert.equal(fromInput.status, 0);
  const foreign = selkie(['simulate', '-p', file, '--arch', 'i386', 'read()']);
  assert.match(foreign.stdout, /kill_process/);
});

test('disasm shows a policy from standard input', () => {
  const { status, stdout } = selkie(['disasm', '-'], { input: GOOD_POLICY });
  assert.equal(status, 0);
  assert.match(stdout, /AUDIT_ARCH_X86_64/);
  assert.match(stdout, /exit_group/);
});

test('sets: every member has a reason; a wrong name gets the nearest', () => {
  const { status, stdout } = selkie(['sets', '@go']);
  assert.equal(status, 0);
  for (const line of stdout.trim().split('\n')) assert.match(line, /^\w+ +\S.*/);
  const wrong = selkie(['sets', '@netwrok']);
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /@?network/);
});

test("run: exit code, signal and standard input are the command's own", (context) => {
  const file = join(scratchFolder(context), 'p.yaml');
  writeFileSync(file, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EPERM):\n    - uname\n');
  const echoed = selkie(['run', '-p', file, 'cat'], { input: 'hello\n' });
  assert.equal(echoed.stdout, 'hello\n');
  assert.equal(selkie(['run', '-p', file, '--', 'sh', '-c', 'exit 7']).status, 7);
  assert.equal(selkie(['run', '-p', file, 'sh', '-c', 'kill -9 $$']).signal, 'SIGKILL');
  const refused = selkie(['run', '-p', file, 'uname']);
  assert.match(refused.stderr, /Operation not permitted/);
  assert.equal(selkie(['run', '-p', file, '/nonexistent']).status, 127);
  assert.equal(selkie(['run', '-p', file, '/etc/passwd']).status, 126);
  assert.match(selkie(['run', '-p', file, '--print', 'true']).stderr, /\[\+\]/);
});

test('record: refuses to overwrite, with the two ways out; evidence beside the policy', (context) => {
  const folder = scratchFolder(context);
  assert.equal(selkie(['record', '-q', 'true'], { cwd: folder }).status, 0);
  const before = readFileSync(join(folder, 'true.yaml'), 'utf8');
  assert.equal(existsSync(join(folder, 'true.evidence.json')), true);
  const again = selkie(['record', 'true'], { cwd: folder });
  assert.equal(again.status, 125);
  assert.match(again.stderr, /--merge.*--force/);
  assert.equal(readFileSync(join(folder, 'true.yaml'), 'utf8'), before);
  assert.equal(selkie(['record', '-q', '--merge', 'true'], { cwd: folder }).status, 0);
  assert.equal(selkie(['record', '-q', '-o', 'x.yaml', 'sh', '-c', 'exit 5'], { cwd: folder }).status, 5);
});
