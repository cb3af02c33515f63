import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { encodeProgram } from '../../src/bpf/codec.ts';
import { inspectElf } from '../../src/elf/seal.ts';
import type { SeenInstallation } from '../../src/lift/installations.ts';
import { buildProgram } from '../support/builds.ts';
import { temporaryFolder } from '../support/folders.ts';
import { runCommand, selkie } from '../support/selkie.ts';
import { cannotCompile, missingTools } from '../support/tools.ts';

const folder = temporaryFolder();
chmodSync(folder, 0o777);
const script = join(folder, 'collect.mjs');
const module = new URL('../../src/lift/installations.js', import.meta.url);
writeFileSync(
  script,
  `import { collectInstallations } from '${module}';
const [treatment, ...command] = process.argv.slice(2);
const { installations, status } = await collectInstallations({ command, treatment });
console.error(JSON.stringify({ installations, status }));`,
);

interface Collected {
  readonly installations: readonly SeenInstallation[];
  readonly status: object;
  readonly stdout: string;
}

function collect(command: readonly string[], { treatment = 'permit', nobody = false } = {}): Collected {
  const words = [process.execPath, script, treatment, ...command];
  const { stdout, stderr } = runCommand(words, { nobody, timeout: 20_000 });
  const last = stderr.trim().split('\n').at(-1) ?? '';
  assert.match(last, /^\{/, stderr);
  return { ...JSON.parse(last), stdout };
}

const installer = (...flags: readonly string[]): string =>
  buildProgram(
    { name: `installer ${flags.join(' ')}`, tool: 'gcc', flags: [...flags, '-pthread'] },
    'installer.c',
    folder,
  ).path;
const summary = ({ installations }: Collected): readonly (readonly unknown[])[] =>
  installations.map(({ by, flags, arch, errno, program }) => [by, flags, arch, errno, program?.[1]?.k]);

const UNAME = 63;
const skip = missingTools('gcc', 'setpriv');

for (const nobody of [false, true])
  test(`each way to install is seen with its program, and is real${nobody ? ', as uid 65534' : ''}`, { skip }, () => {
    const words = ['prctl', 'tsync', 'seccomp', 'listener', 'uname', 'bad', 'null', 'unreadable', 'flags'];
    const seen = collect([installer(), ...words], { nobody });
    assert.deepEqual(summary(seen), [
      ['prctl', 0, 'x86_64', 0, UNAME],
      ['seccomp', 1, 'x86_64', 0, UNAME],
      ['seccomp', 0, 'x86_64', 0, UNAME],
      ['seccomp', 8, 'x86_64', 16, UNAME],
      ['seccomp', 0, 'x86_64', 22, UNAME],
      ['seccomp', 1 << 20, 'x86_64', 22, undefined],
    ]);
    // As announced: EBUSY for the listener; EDOM for uname says that a filter is in force.
    assert.match(
      seen.stdout,
      /^prctl 0\ntsync 0\nseccomp 0\nlistener -16\nuname -33\nbad -22\nnull -14\nunreadable -14\nflags -22\n$/,
    );
    assert.deepEqual(seen.status, { code: 0 });
    for (const { exe, pid, tid } of seen.installations) assert.deepEqual([exe, pid], [installer(), tid]);
  });

test('a struct of 32 bits is read as such: int 0x80 in a 64-bit program', { skip }, () => {
  const seen = collect([installer(), 'int80', 'uname']);
  assert.deepEqual(summary(seen), [['seccomp', 0, 'i386', 0, UNAME]]);
  assert.equal(seen.stdout, 'int80 0\nuname -33\n');
});

test('a 32-bit program', { skip: skip || cannotCompile('-m32') }, () => {
  const seen = collect([installer('-m32'), 'seccomp', 'prctl', 'uname']);
  assert.deepEqual(
    seen.installations.map(({ by, arch, errno, program }) => [by, arch, errno, program?.[1]?.k]),
    [
      ['seccomp', 'i386', 0, 122],
      ['prctl', 'i386', 0, 122],
    ],
  );
  assert.equal(seen.stdout, 'seccomp 0\nprctl 0\nuname -33\n');
});

test('threads and children are told apart', { skip }, () => {
  const { installations } = collect(['sh', '-c', `${installer()} diverge; ${installer()} seccomp`]);
  const [first, second] = installations as [SeenInstallation, SeenInstallation];
  assert.notEqual(first.tid, first.pid);
  assert.equal(second.tid, second.pid);
  assert.notEqual(first.pid, second.pid);
});

test('pretended installations say yes and do nothing, refused ones say EPERM', { skip }, () => {
  const pretended = collect([installer(), 'seccomp', 'uname', 'bad'], { treatment: 'pretend' });
  assert.equal(pretended.stdout, 'seccomp 0\nuname 0\nbad -22\n');
  const refused = collect([installer(), 'seccomp', 'uname'], { treatment: 'refuse' });
  assert.equal(refused.stdout, 'seccomp -1\nuname 0\n');
  for (const seen of [pretended, refused]) assert.equal(seen.installations[0]?.program?.length, 4);
});

test('a sealed program: the filter that it holds; it runs confined', { skip }, () => {
  const policy = join(folder, 'p.yaml');
  const sealed = join(folder, 'sealed');
  writeFileSync(policy, 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EDOM):\n    - uname\n');
  assert.equal(selkie(['seal', '-q', '-p', policy, installer(), '-o', sealed]).status, 0);
  const seen = collect([sealed, 'uname']);
  assert.equal(seen.stdout, 'uname -33\n');
  const [{ program } = { program: undefined }] = seen.installations;
  const held = inspectElf(readFileSync(sealed))?.program as Uint8Array;
  assert.deepEqual(Buffer.from(encodeProgram(program ?? [])), Buffer.from(held));
});

test('programs with libseccomp and bubblewrap --seccomp', {
  skip: skip || missingTools('python3', 'bwrap'),
}, (context) => {
  const python =
    'import seccomp, errno, os\nf = seccomp.SyscallFilter(seccomp.ALLOW)\nf.add_rule(seccomp.ERRNO(errno.EDOM), "uname")\nf.load()\ntry: os.uname()\nexcept OSError as e: print(e.errno)\n';
  const seen = collect(['/usr/bin/python3', '-c', python]);
  if (seen.stdout === '') {
    context.skip('missing here: python3-seccomp');
    return;
  }
  assert.equal(seen.stdout, '33\n');
  assert.ok(seen.installations.some(({ errno, program }) => errno === 0 && program?.some(({ k }) => k === UNAME)));
  const bpf = join(folder, 'f.bpf');
  const program = seen.installations.find(({ errno }) => errno === 0)?.program ?? [];
  writeFileSync(bpf, encodeProgram(program));
  const wrapped = collect(['sh', '-c', `bwrap --dev-bind / / --seccomp 9 ${installer()} uname 9<${bpf}`]);
  assert.equal(wrapped.stdout, 'uname -33\n');
  assert.deepEqual(
    wrapped.installations.map(({ program: seenProgram }) => seenProgram),
    [program],
  );
});
