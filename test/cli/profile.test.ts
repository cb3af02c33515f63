import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { ROOT, selkie } from '../support/selkie.ts';

const PROFILE = join(ROOT, 'test/vectors/profile.json');

test('simulate and disasm take a profile, from a file and from standard input', () => {
  const calls = ['read(0, 0x1000, 1)', 'personality(0xffffffff)', 'personality(1)', 'clone3()'];
  const answered = selkie(['simulate', '-p', PROFILE, ...calls]);
  assert.equal(answered.status, 1);
  assert.equal(
    answered.stdout,
    'read(0, 0x1000, 1) → allow\npersonality(0xffffffff) → allow\npersonality(1) → errno(EPERM)\nclone3() → errno(ENOSYS)\n',
  );
  assert.match(answered.stderr, /^note: read as runc on x86_64 reads it$/m);
  const listing = selkie(['disasm', PROFILE]);
  assert.equal(listing.status, 0, listing.stderr);
  assert.equal(selkie(['disasm', '-'], { input: readFileSync(PROFILE) }).stdout, listing.stdout);
});

test('convert --to policy prints a policy of the same program, for other capabilities too, or writes it', (context) => {
  const folder = scratchFolder(context);
  const printed = selkie(['convert', PROFILE, '--to', 'policy']);
  assert.equal(printed.status, 0, printed.stderr);
  assert.match(printed.stderr, /^note: rules for capabilities: read for Docker's default ones$/m);
  writeFileSync(join(folder, 'again.yaml'), printed.stdout);
  assert.equal(selkie(['disasm', 'again.yaml'], { cwd: folder }).stdout, selkie(['disasm', PROFILE]).stdout);
  assert.doesNotMatch(printed.stdout, /- mount\n/);
  const admin = selkie([
    'convert',
    PROFILE,
    '--to',
    'policy',
    '--caps',
    'sys_admin',
    '--kernel',
    '4.4',
    '--arch',
    'aarch64',
  ]);
  assert.match(admin.stdout, /^arches: \[aarch64, arm\]$[\s\S]*- mount\n/m);
  assert.doesNotMatch(admin.stdout, /- ptrace\n/);
  const written = selkie(['convert', PROFILE, '--to', 'policy', '-o', folder, '--json']);
  assert.deepEqual(JSON.parse(written.stdout).files, [join(folder, 'policy.yaml')]);
});

test('a program runs under a profile, and what the profile refuses is refused', (context) => {
  const folder = scratchFolder(context);
  const text = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 30 },
      { names: ['nobody_knows_this'], action: 'SCMP_ACT_ERRNO' },
    ],
  };
  writeFileSync(join(folder, 'profile.json'), JSON.stringify(text));
  const ran = selkie(['run', '-p', 'profile.json', 'mkdir', 'made'], { cwd: folder });
  assert.equal(ran.status, 1);
  assert.match(ran.stderr, /note: line 1: no call is named "nobody_knows_this"[\s\S]*Read-only file system/);
});

test('bad profiles and options fail with 2 and say where', (context) => {
  const folder = scratchFolder(context);
  writeFileSync(join(folder, 'bad.json'), '{\n "defaultAction": "SCMP_ACT_ALOW"\n}\n');
  const bad = selkie(['disasm', 'bad.json'], { cwd: folder });
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /bad\.json:2:19: "SCMP_ACT_ALOW" is no action: did you mean "SCMP_ACT_ALLOW"/);
  writeFileSync(join(folder, 'own.yaml'), 'selkie: 1\ndefault: allow\nsyscalls: {}\n');
  for (const words of [
    ['own.yaml', '--caps', 'SYS_ADMIN'],
    [PROFILE, '--kernel', 'new'],
    [PROFILE, '--arch', 'vax'],
    [PROFILE, '--caps', 'a b'],
  ]) {
    const refused = selkie(['convert', ...words, '--to', 'policy'], { cwd: folder });
    assert.equal(refused.status, 2, `${words}: ${refused.stdout}${refused.stderr}`);
  }
});
