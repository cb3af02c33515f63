// How profiles are read: options, notes, faults. That the meaning is right: oci-agreement.test.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { PolicyError } from '../../src/base/errors.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import { DOCKER_CAPS } from '../../src/formats/oci/names.ts';
import { isProfile, type ProfileReading, readProfileText } from '../../src/formats/oci/read.ts';
import type { ProfileOptions } from '../../src/formats/oci/select.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';

const OPTIONS: ProfileOptions = { arch: 'x86_64', caps: DOCKER_CAPS, kernel: '6.1.0-18-amd64' };

function read(text: string, options: Partial<ProfileOptions> = {}): ProfileReading {
  return readProfileText(text, { ...OPTIONS, ...options });
}

/** A profile that refuses all but what its rules say. */
function profile(rules: string, rest = ''): string {
  return `{ "defaultAction": "SCMP_ACT_ERRNO",${rest} "syscalls": [${rules}] }`;
}

function allow(names: string, rest = ''): string {
  return `{ "names": ["${names.split(' ').join('", "')}"], "action": "SCMP_ACT_ALLOW"${rest && `, ${rest}`} }`;
}

const NO_CALL = 'syscall(4294967295)';

/** The lines of the policy's rules, but for that of -1. */
function rules(text: string, options: Partial<ProfileOptions> = {}): string[] {
  const lines = printPolicy(read(text, options).policy).split('\n');
  return lines.flatMap((line) => (line.startsWith('    - ') && !line.includes(NO_CALL) ? [line.slice(6)] : []));
}

test('-1 gets the default as in libseccomp: on x86_64 without x32, unless that is what other ABIs get', () => {
  const said = (text: string, options: Partial<ProfileOptions> = {}): boolean =>
    printPolicy(read(text, options).policy).includes(NO_CALL);
  const text = profile(allow('read'));
  assert.ok(said(text));
  assert.ok(said(profile(allow('read'), '"architectures": ["SCMP_ARCH_X86"],')));
  assert.ok(!said(profile(allow('read'), '"architectures": ["SCMP_ARCH_X32"],')));
  assert.ok(!said(text.replace('SCMP_ACT_ERRNO', 'SCMP_ACT_KILL')));
  assert.ok(!said(text, { arch: 'aarch64' }));
});

test('a container profile in the style of Docker: every rule, option and note', () => {
  const text = readFileSync(fileURLToPath(new URL('../../../test/vectors/profile.json', import.meta.url)), 'utf8');
  const { policy, notes } = readProfileText(text, OPTIONS);
  assert.deepEqual(policy.arches, ['x86_64', 'i386', 'x32']);
  const lines = rules(text);
  for (const line of [
    'read',
    'personality: raw(arg0) == 0xffffffff',
    'clone: (raw(arg0) & 0x7e020000) == 0',
    'ptrace',
    'arch_prctl',
    'socketcall: raw(arg0) == 1 && raw(arg2) == 9',
    'socketcall: raw(arg0) == 2',
    'ipc: raw(arg0) == 21',
    'clone3',
    'syslog: raw(arg0) == 3',
    'syslog: raw(arg1) != 4',
    'syslog: raw(arg0) == 10',
  ])
    assert.ok(lines.includes(line), `${line}\n${lines.join('\n')}`);
  assert.ok(!lines.includes('mount') && !lines.includes('sync_file_range2') && !lines.includes('futex_waitv'));
  assert.ok(
    notes.some((note) => /no call is named "opennat": did you mean "openat"/.test(note)),
    notes.join('\n'),
  );
  assert.ok(notes.some((note) => /"flags" is for who installs/.test(note)));
  const again = parsePolicy(printPolicy(policy));
  assert.deepEqual(compilePolicy(again).program, compilePolicy(policy).program);
});

const MATRIX = [
  ['includes', '{}', true],
  ['includes', '{ "caps": ["CAP_CHOWN"] }', true],
  ['includes', '{ "caps": ["CAP_CHOWN", "CAP_SYS_ADMIN"] }', false],
  ['includes', '{ "caps": [], "arches": ["amd64", "arm64"] }', true],
  ['includes', '{ "arches": ["arm64"] }', false],
  ['includes', '{ "minKernel": "4.8" }', true],
  ['includes', '{ "minKernel": "6.1" }', true],
  ['includes', '{ "minKernel": "6.2" }', false],
  ['includes', '{ "arches": ["amd64"], "caps": ["CAP_SYS_ADMIN"] }', false],
  ['excludes', '{}', true],
  ['excludes', '{ "caps": ["CAP_SYS_ADMIN"] }', true],
  ['excludes', '{ "caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"] }', false],
  ['excludes', '{ "arches": ["arm64", "s390x"] }', true],
  ['excludes', '{ "arches": ["amd64"] }', false],
  ['excludes', '{ "minKernel": "6.2" }', true],
  ['excludes', '{ "minKernel": "4.8" }', false],
] as const;

for (const [key, filter, taken] of MATRIX)
  test(`${key} ${filter} ${taken ? 'takes' : 'leaves out'} the rule`, () => {
    assert.deepEqual(rules(profile(allow('read', `"${key}": ${filter}`))), taken ? ['read'] : []);
  });

test('options decide: capabilities, kernel, ABI', () => {
  const text = profile(
    `${allow('mount', '"includes": { "caps": ["CAP_SYS_ADMIN"] }')}, ${allow('ptrace', '"includes": { "minKernel": "4.8" }')}, ${allow('pipe2', '"includes": { "arches": ["arm64"] }')}`,
  );
  assert.deepEqual(rules(text), ['ptrace']);
  assert.deepEqual(rules(text, { caps: ['CAP_SYS_ADMIN'], kernel: '4.4.302' }), ['mount']);
  assert.deepEqual(rules(text, { arch: 'aarch64' }), ['ptrace', 'pipe2']);
});

test("trap 31: an argument that occurs twice makes every comparison a rule, containers-common's names of errnos are read", () => {
  const twice =
    '"args": [{ "index": 0, "op": "SCMP_CMP_EQ", "value": 1 }, { "index": 1, "op": "SCMP_CMP_NE", "value": 2 }, { "index": 0, "op": "SCMP_CMP_EQ", "value": 3 }]';
  assert.deepEqual(rules(profile(allow('socket', twice))), [
    'socket: raw(arg0) == 1',
    'socket: raw(arg1) != 2',
    'socket: raw(arg0) == 3',
  ]);
  const { policy } = read(
    '{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOSYS", "defaultErrnoRet": 38, "syscalls": [{ "name": "read", "action": "SCMP_ACT_ERRNO", "errno": "EPERM", "errnoRet": 1 }] }',
  );
  assert.deepEqual(policy.default, { kind: 'errno', errno: 'ENOSYS' });
  assert.deepEqual(policy.syscalls[0]?.action, { kind: 'errno', errno: 'EPERM' });
});

test('64-bit values stay exact', () => {
  const arg =
    '"args": [{ "index": 2, "op": "SCMP_CMP_MASKED_EQ", "value": 18446744073709551614, "valueTwo": 9007199254740993 }]';
  assert.deepEqual(rules(profile(allow('read', arg))), ['read: (raw(arg2) & 0xfffffffffffffffe) == 0x20000000000000']);
  const odd = '"args": [{ "index": 2, "op": "SCMP_CMP_EQ", "value": 9007199254740993 }]';
  assert.deepEqual(rules(profile(allow('read', odd))), ['read: raw(arg2) == 0x20000000000001']);
});

test('comparisons that cannot be false are left out, rules that cannot hold too; both are noted', () => {
  const arg = (op: string, value: string): string =>
    `"args": [{ "index": 1, "op": "SCMP_CMP_${op}", "value": ${value} }]`;
  assert.deepEqual(rules(profile(allow('read', arg('GE', '0')))), ['read']);
  assert.deepEqual(rules(profile(allow('read', arg('GT', '18446744073709551615')))), []);
  assert.match(
    read(profile(allow('read', arg('LT', '0')))).notes.join('\n'),
    /line 1: the comparison of argument 1 never holds/,
  );
});

test('trap 27: a rule without comparisons swallows the others of its call; one with the default action says nothing', () => {
  const arg = '"args": [{ "index": 0, "op": "SCMP_CMP_EQ", "value": 1 }]';
  const log = `{ "names": ["socket"], "action": "SCMP_ACT_LOG", ${arg} }`;
  const refuse = `{ "names": ["socket"], "action": "SCMP_ACT_ERRNO", ${arg} }`;
  assert.deepEqual(rules(profile(`${log}, ${allow('socket')}, ${refuse}`)), ['socket']);
  const { notes } = read(profile(`${log}, ${allow('socket')}, ${refuse}`));
  assert.match(notes.join('\n'), /log for socket on line 1 has no effect/);
  assert.match(notes.join('\n'), /socket gets the default action here, which runc reads as no rule/);
});

test('trap 33: what runc adds for newer calls becomes kernel and unknown where that is exact, else a note', () => {
  const { policy } = read(profile(allow('read faccessat2')));
  assert.deepEqual([policy.kernel, policy.unknown], ['5.8', { kind: 'errno', errno: 'ENOSYS' }]);
  const { program } = compilePolicy(policy);
  const action = (nr: number): number =>
    interpret(program, { nr, arch: ARCHES.x86_64.token, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] })
      .action;
  const last = syscallNumber('x86_64', 'faccessat2') as number;
  assert.deepEqual([action(last - 1), action(last), action(last + 1)], [0x5_0001, 0x7fff_0000, 0x5_0026]);
  const older = read(profile(allow('read openat')));
  assert.equal(older.policy.unknown, undefined);
  assert.match(older.notes.join('\n'), /runc answers ENOSYS to numbers above/);
  for (const rest of [' "defaultErrnoRet": 38,'])
    assert.equal(read(profile(allow('read faccessat2'), rest)).policy.unknown, undefined);
  assert.equal(read('{ "defaultAction": "SCMP_ACT_LOG", "syscalls": [] }').policy.unknown, undefined);
});

test('ABIs: native alone without a list, native always, those without numbers noted', () => {
  assert.deepEqual(read(profile('')).policy.arches, ['x86_64']);
  assert.deepEqual(read(profile('', ' "architectures": ["SCMP_ARCH_X86"],')).policy.arches, ['x86_64', 'i386']);
  assert.deepEqual(read(profile('', ' "architectures": [],'), { arch: 'riscv64' }).policy.arches, ['riscv64']);
  const map =
    ' "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X32"] }, { "architecture": "SCMP_ARCH_S390X", "subArchitectures": ["SCMP_ARCH_S390"] }],';
  assert.deepEqual(read(profile('', map)).policy.arches, ['x86_64', 'x32']);
  assert.doesNotMatch(read(profile('', map)).notes.join(), /S390/);
  assert.match(
    read(profile('', map), { arch: 's390x' }).notes.join(),
    /no numbers of SCMP_ARCH_S390: its calls get kill_thread/,
  );
});

test('what is compared beyond what the kernel reads, or is an address, is noted', () => {
  const arg =
    '"args": [{ "index": 0, "op": "SCMP_CMP_EQ", "value": 1 }, { "index": 1, "op": "SCMP_CMP_EQ", "value": 1 }]';
  const notes = read(profile(allow('openat', arg))).notes.join('\n');
  assert.match(notes, /compared on all 64 bits .*: openat dirfd/);
  assert.match(notes, /compared as addresses.*: openat pathname/);
});

test('a profile is recognised by defaultAction, in JSON only', () => {
  assert.ok(isProfile('\n { "syscalls": [], "defaultAction" : "SCMP_ACT_ALLOW" }'));
  assert.ok(!isProfile('selkie: 1\nname: defaultAction\n'));
  assert.ok(!isProfile('{ "selkie": 1, "name": "the \\"defaultAction\\": of", "default": "allow", "syscalls": {} }'));
});

const BAD = [
  ['cut short', '{ "defaultAction": ', 'json', '', /:1:20: .*the text ends here/],
  ['a comma too many', '{ "defaultAction": "SCMP_ACT_ALLOW", }', 'json', '}', /wanted a key in quotes/],
  ['a comment', '{ "defaultAction": // x', 'json', '// x', /wanted a value/],
  ['octal', profile(allow('read', '"args": [{ "index": 00 }]')), 'json', '00', /wanted a value/],
  ['text behind it', '{ "defaultAction": "SCMP_ACT_ALLOW" } x', 'json', 'x', /wanted nothing behind/],
  [
    'a key twice',
    '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [], "syscalls": [] }',
    'duplicate_key',
    '"syscalls": [] }',
    /stands in this object/,
  ],
  [
    'a key in other letters',
    '{ "DefaultAction": "SCMP_ACT_ALLOW" }',
    'unknown_key',
    '"DefaultAction"',
    /write "defaultAction"/,
  ],
  [
    'an unknown action',
    '{ "defaultAction": "SCMP_ACT_DENY" }',
    'unknown_name',
    '"SCMP_ACT_DENY"',
    /"SCMP_ACT_DENY" is no action/,
  ],
  ['deep nesting', `{ "defaultAction": ${'['.repeat(100)}`, 'too_deep', '[[', /deeper than 32/],
  ['a deep object', `{"defaultAction":1,"a":${'{"a":'.repeat(50_000)}`, 'too_deep', '{"a":{', /deeper than 32/],
  [
    'a text of 2 MiB',
    `{ "defaultAction": "${'x'.repeat(1 << 21)}" }`,
    'too_large',
    '{ "defaultAction',
    /larger than 1 MiB/,
  ],
  ['an errno without use', profile(allow('read', '"errnoRet": 1')), 'errno_action', '1 }', /goes with SCMP_ACT_ERRNO/],
  [
    'an errno beyond',
    '{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4095 }',
    'number_range',
    '4095',
    /0 to 4094/,
  ],
  [
    'an unknown errno',
    '{ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "EPREM" }',
    'unknown_errno',
    '"EPREM"',
    /did you mean "EPERM"/,
  ],
  [
    'name and names',
    profile('{ "name": "read", "names": ["read"], "action": "SCMP_ACT_ALLOW" }'),
    'bad_value',
    '"read", "names"',
    /exclude each other/,
  ],
  ['no names', profile('{ "names": [], "action": "SCMP_ACT_ALLOW" }'), 'missing_key', '{ "names"', /needs "names"/],
  ['no action', profile('{ "names": ["read"] }'), 'missing_key', '{ "names"', /"action" is missing/],
  ['a name of nothing', profile('{ "names": [""], "action": "SCMP_ACT_ALLOW" }'), 'bad_value', '""]', /empty/],
  [
    'a seventh argument',
    profile(allow('read', '"args": [{ "index": 6, "op": "SCMP_CMP_EQ", "value": 1 }]')),
    'number_range',
    '6,',
    /0 to 5/,
  ],
  [
    'a value beyond 64 bits',
    profile(allow('read', '"args": [{ "index": 1, "op": "SCMP_CMP_EQ", "value": 18446744073709551616 }]')),
    'number_range',
    '18446744073709551616',
    /0 to 18446744073709551615/,
  ],
  [
    'a negative value',
    profile(allow('read', '"args": [{ "index": 1, "op": "SCMP_CMP_EQ", "value": -1 }]')),
    'number_range',
    '-1',
    /whole number/,
  ],
  [
    'a value as text',
    profile(allow('read', '"args": [{ "index": 1, "op": "SCMP_CMP_EQ", "value": "1" }]')),
    'wrong_type',
    '"1"',
    /wanted a number/,
  ],
  [
    'an operator of nobody',
    profile(allow('read', '"args": [{ "index": 1, "op": "SCMP_CMP_EQQ", "value": 1 }]')),
    'unknown_name',
    '"SCMP_CMP_EQQ"',
    /did you mean "SCMP_CMP_EQ"/,
  ],
  [
    'a bad kernel',
    profile(allow('read', '"includes": { "minKernel": "new" }')),
    'bad_kernel',
    '{ "minKernel"',
    /such as "4.8"/,
  ],
  [
    'both lists of ABIs',
    profile('', ' "architectures": ["SCMP_ARCH_X86"], "archMap": [{ "architecture": "SCMP_ARCH_X86" }],'),
    'bad_value',
    '[{ "architecture"',
    /exclude each other/,
  ],
  [
    'an unknown ABI',
    profile('', ' "architectures": ["SCMP_ARCH_X68"],'),
    'unknown_name',
    '"SCMP_ARCH_X68"',
    /or "SCMP_ARCH_X86"/,
  ],
  ['both byte orders', profile('', ' "architectures": ["SCMP_ARCH_S390X"],'), 'bad_value', '', /different byte orders/],
  [
    'ABIs of two machines',
    profile('', ' "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_PPC64LE"],'),
    'bad_value',
    '',
    /i386 and ppc64le .*list the ABIs of one machine/,
  ],
  ['a list as a profile', '[{ "defaultAction": 1 }]', 'wrong_type', '[{', /wanted an object/],
] as const;

/** `at` is the text that stands at the place. */
for (const [what, text, code, at, message] of BAD)
  test(`a bad profile: ${what}`, () => {
    assert.throws(
      () => read(text),
      (error) => {
        assert.ok(error instanceof PolicyError, String(error));
        assert.equal(error.code, code, error.message);
        const rest = text.slice((error.place?.column ?? 1) - 1);
        assert.ok(error.place?.line === 1 || at === '', error.message);
        assert.ok(rest.startsWith(at), `${error.message}: ${rest.slice(0, 40)}`);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\.$/);
        return true;
      },
    );
  });

test('overlapping rules with different actions are refused, with both lines and a call', () => {
  const arg = (value: number): string => `"args": [{ "index": 0, "op": "SCMP_CMP_GE", "value": ${value} }]`;
  const text = profile(`\n${allow('socket', arg(1))},\n{ "names": ["socket"], "action": "SCMP_ACT_LOG", ${arg(5)} }`);
  assert.throws(() => read(text), /^PolicyError: policy:3:13: socket\(5, 0, 0\) gets log here, but allow by line 2/);
  const always = profile(`\n${allow('socket', arg(0))},\n{ "names": ["socket"], "action": "SCMP_ACT_LOG", ${arg(5)} }`);
  assert.throws(() => read(always), /policy:3:13: socket gets log here, but allow by line 2/);
});
