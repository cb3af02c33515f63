// Tells the story live: a program is recorded, sealed, and refused what it never needed. Everything happens in a temporary folder that is removed.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './sources.mjs';

const bold = process.stdout.isTTY && !process.env.NO_COLOR ? (text) => `\x1b[1m${text}\x1b[0m` : (text) => text;
const selkie = join(root, 'bin/selkie');
const folder = mkdtempSync(join(tmpdir(), 'selkie-demo-'));
const home = join(folder, 'home');

const tell = (text) => console.log(`\n${text}`);

/** Runs a command as a reader would type it, shows it and what it prints; `selkie` stands for this checkout's. */
function show(command, ...words) {
  console.log(bold(`$ ${[command, ...words].join(' ')}`));
  const [file, ...rest] = command === 'selkie' ? [process.execPath, selkie, ...words] : [command, ...words];
  const { status, signal, stdout, stderr, error } = spawnSync(file, rest, { cwd: folder, encoding: 'utf8' });
  if (error) throw error;
  const output = `${stdout}${stderr}`.trimEnd();
  if (output) console.log(output.replace(/^/gm, '  '));
  if (status !== 0) console.log(`  (${signal ? `killed by ${signal}` : `exit code ${status}`})`);
  return status;
}

function expect(claim, holds) {
  if (!holds) throw new Error(`the demo expected: ${claim}`);
}

/** Builds a Go program of test/programs into the demo's folder; false where there is no Go. */
function buildGo(program, output) {
  const source = join(folder, `src-${output}`);
  cpSync(join(root, 'test/programs', program), source, { recursive: true });
  const { status } = spawnSync('go', ['build', '-o', join(folder, output), '.'], {
    cwd: source,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod', HOME: process.env.HOME ?? home },
  });
  return status === 0;
}

const clean = () => spawnSync('rm', ['-rf', '/tmp/moo']);

function goStory() {
  tell('1. A small Go program: it makes the folder /tmp/moo and prints a line. Record one run of it.');
  expect('record succeeds', show('selkie', 'record', './makeTheFolder') === 0);
  tell('2. That wrote a policy to read and review, one call a line:');
  const text = readFileSync(join(folder, 'makeTheFolder.yaml'), 'utf8');
  console.log(text.trimEnd().replace(/^/gm, '  '));
  clean();

  tell('3. Put the policy into the binary. The result needs nothing at run time: no Selkie, no Node, no root.');
  expect('seal succeeds', show('selkie', 'seal', '-p', 'makeTheFolder.yaml', 'makeTheFolder', '--in-place') === 0);
  expect('the sealed program works', show('./makeTheFolder') === 0);
  clean();

  tell('4. Somebody adds a line that runs another program: syscall.Exec("/bin/ls"). Same policy:');
  expect('seal succeeds', show('selkie', 'seal', '-p', 'makeTheFolder.yaml', 'withExec', '--in-place') === 0);
  show('./withExec');
  clean();
  tell('   ... or one that opens a network connection: net.Dial("tcp", ...). Same policy:');
  expect('seal succeeds', show('selkie', 'seal', '-p', 'makeTheFolder.yaml', 'withDial', '--in-place') === 0);
  show('./withDial');
  clean();

  tell(
    '5. And if execve is permitted? The filter is inherited: ls starts, fails at the first call that the policy lacks, and cannot even say so.',
  );
  writeFileSync(join(folder, 'withExecve.yaml'), text.replace(/^( *)allow:\n/m, '$1allow:\n$1  - execve\n'));
  expect('unseal succeeds', show('selkie', 'unseal', 'withExec', '--in-place') === 0);
  expect('seal succeeds', show('selkie', 'seal', '-p', 'withExecve.yaml', 'withExec', '--in-place') === 0);
  show('./withExec');
  clean();
  tell('6. What would happen to a call can be asked without running anything:');
  show(
    'selkie',
    'simulate',
    '-p',
    'makeTheFolder.yaml',
    'mkdirat(AT_FDCWD, 0x1000, 0o755)',
    'socket(AF_INET, SOCK_STREAM, 0)',
  );
}

function systemStory() {
  tell('1. Go is not installed here, so the story is told on /bin/mkdir. Record one run of it.');
  expect(
    'record succeeds',
    show('selkie', 'record', '-o', 'mkdir.yaml', '/bin/mkdir', '-p', join(folder, 'moo')) === 0,
  );
  tell('2. That wrote a policy to read and review, one call a line:');
  console.log(readFileSync(join(folder, 'mkdir.yaml'), 'utf8').trimEnd().replace(/^/gm, '  '));
  tell('3. Seal a copy of the binary; it needs nothing at run time:');
  expect('seal succeeds', show('selkie', 'seal', '-p', 'mkdir.yaml', '/bin/mkdir', '-o', 'mkdir') === 0);
  expect('the sealed program works', show('./mkdir', '-p', join(folder, 'moo')) === 0);
  tell('4. A call it never made is refused: -m needs chmod.');
  show('./mkdir', '-m', '0700', join(folder, 'private'));
  tell('5. What would happen to a call can be asked without running anything:');
  show('selkie', 'simulate', '-p', 'mkdir.yaml', 'execve()', 'socket(AF_INET, SOCK_STREAM, 0)');
}

try {
  clean();
  const haveGo =
    buildGo('story', 'makeTheFolder') && buildGo('story-exec', 'withExec') && buildGo('story-dial', 'withDial');
  if (haveGo) goStory();
  else systemStory();
  tell('Done. Next: README.md, `bin/selkie --help`, docs/policy.md.');
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  clean();
  rmSync(folder, { recursive: true, force: true });
}
