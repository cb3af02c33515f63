// Policies read from profiles against the programs that libseccomp makes of them, call by call.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { PolicyError } from '../../src/base/errors.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { comparable, type Difference, differences } from '../../src/decision/compare.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { differenceLines } from '../../src/decision/difference-text.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import type { ArchName } from '../../src/facts/arches.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import type { SeccompData } from '../../src/facts/seccomp.ts';
import { syscallName, syscallNumber } from '../../src/facts/syscalls.ts';
import { DOCKER_CAPS } from '../../src/formats/oci/names.ts';
import { type ProfileReading, readProfileText } from '../../src/formats/oci/read.ts';
import { show } from '../support/agreement.ts';
import {
  boundaryCalls,
  cannotJudge,
  type Entry,
  inForce,
  judge,
  type Profile,
  profileText,
} from '../support/oci-rules.ts';
import { pick, type Random, seeded } from '../support/random-policy.ts';

const DEBIAN = '/usr/share/containers/seccomp.json';
const skip = cannotJudge();

function read(profile: Profile, arch: ArchName = 'x86_64'): ProfileReading {
  return readProfileText(profileText(profile), { arch, caps: DOCKER_CAPS, kernel: '6.1' });
}

function fail(call: SeccompData, wanted: readonly number[], found: number, profile: Profile): never {
  const [want, got] = [wanted, [found]].map((actions) => actions.map((action) => action.toString(16)).join(' or '));
  assert.fail(`${show(call)}: wanted ${want}, found ${got}\n${profileText(profile)}`);
}

/** Holds a reading against libseccomp; numbers of names that this libseccomp does not know are left out. @returns calls compared */
function agree(
  reading: ProfileReading,
  profile: Profile,
  entries: readonly Entry[],
  arches: readonly ArchName[],
): number {
  const judged = judge(profile, entries, arches);
  assert.deepEqual(judged.refused, []);
  assert.deepEqual(reading.policy.arches, arches);
  const { kernel: _kernel, unknown: _unknown, ...plain } = reading.policy;
  const { program } = compilePolicy(plain);
  const unknown = new Set(
    arches.flatMap((arch) => judged.unknown.map((name) => `${ARCHES[arch].token} ${syscallNumber(arch, name)}`)),
  );
  let count = 0;
  for (const call of boundaryCalls({ ...profile, syscalls: [...entries] }, arches)) {
    if (unknown.has(`${call.arch} ${call.nr}`)) continue;
    const [ours, theirs] = [interpret(program, call).action, interpret(judged.program, call).action];
    if (ours !== theirs) fail(call, [theirs], ours, { ...profile, syscalls: [...entries] });
    count += 1;
  }
  return count;
}

/** Proves a reading equal to libseccomp's program for every call, but for names that this libseccomp does not know. */
function prove(
  reading: ProfileReading,
  profile: Profile,
  entries: readonly Entry[],
  arches: readonly ArchName[],
): void {
  const { kernel: _kernel, unknown: _unknown, ...plain } = reading.policy;
  const judged = judge(profile, entries, arches);
  const space = new Diagrams();
  const [ours, theirs] = [compilePolicy(plain).program, judged.program].map((each) => diagramOfProgram(space, each));
  const pair = comparable(space, ours as number, theirs as number);
  const unknown = new Set(
    arches.flatMap((arch) => judged.unknown.map((name) => `${arch} ${syscallNumber(arch, name)}`)),
  );
  const numbers = ({ first, last }: Difference): number[] =>
    Array.from({ length: Math.min(last - first, 99) + 1 }, (_, index) => first + index);
  const found = differences(space, pair).filter(
    (each) => !numbers(each).every((nr) => unknown.has(`${each.arch} ${nr}`)),
  );
  assert.deepEqual(differenceLines(found, { left: 'the policy', right: 'libseccomp' }), []);
  if (unknown.size === 0) assert.equal(pair[0], pair[1]);
}

for (const [arch, subs] of [
  ['x86_64', ['i386', 'x32']],
  ['aarch64', ['arm']],
  ['ppc64le', []],
] as const)
  for (const caps of [DOCKER_CAPS, [], ['CAP_SYS_ADMIN', 'CAP_DAC_READ_SEARCH', 'CAP_AUDIT_WRITE']])
    test(`Debian's seccomp.json on ${arch} with ${caps.length} capabilities is libseccomp's program, proven`, {
      skip: skip || (!existsSync(DEBIAN) && `no ${DEBIAN} here`),
    }, () => {
      const text = readFileSync(DEBIAN, 'utf8');
      const profile = JSON.parse(text) as Profile;
      const options = { arch, caps, kernel: '6.1', file: DEBIAN };
      const entries = inForce(profile, arch, caps);
      agree(readProfileText(text, options), profile, entries, [arch, ...subs]);
      prove(readProfileText(text, options), profile, entries, [arch, ...subs]);
      const alone = text.replace(/"archMap": \[[\s\S]*?\n\t\],/, '');
      assert.notEqual(alone, text);
      agree(readProfileText(alone, options), profile, entries, [arch]);
      prove(readProfileText(alone, options), profile, entries, [arch]);
    });

const VECTOR = fileURLToPath(new URL('../../../test/vectors/profile.json', import.meta.url));

for (const [arch, arches] of [
  ['x86_64', ['x86_64', 'i386', 'x32']],
  ['aarch64', ['aarch64', 'arm']],
  ['ppc64le', ['ppc64le']],
  ['s390x', ['s390x']],
] as const)
  for (const caps of [DOCKER_CAPS, ['CAP_SYS_ADMIN']])
    test(`trap 25: a profile with sockets and shared memory on ${arch}, ${caps.length} capabilities, as libseccomp`, {
      skip,
    }, () => {
      const text = readFileSync(VECTOR, 'utf8');
      const profile = JSON.parse(text) as Profile;
      // What depends on the kernel is of no interest here; ptrace is in force on 6.1, futex_waitv is not.
      const entries = inForce(profile, arch, caps).filter(({ names }) => names[0] !== 'futex_waitv');
      const reading = readProfileText(text, { arch, caps, kernel: '6.1' });
      agree(reading, profile, entries, arches);
      prove(reading, profile, entries, arches);
    });

const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const;
const VALUES = [
  0n,
  1n,
  9n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1_0000_0001n,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
];

for (const op of OPERATORS)
  test(`${op} compares as libseccomp does, on each ABI, with every edge value`, { skip }, () => {
    for (const value of VALUES)
      for (const valueTwo of op === 'MASKED_EQ' ? VALUES.filter((_, index) => index % 2 === 1) : [0n]) {
        const args = [{ index: 0, value, valueTwo, op: `SCMP_CMP_${op}` }];
        const syscalls: Entry[] = [{ names: ['personality', 'read', 'socket'], action: 'SCMP_ACT_ALLOW', args }];
        const profile: Profile = {
          defaultAction: 'SCMP_ACT_ERRNO',
          architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
          syscalls,
        };
        agree(read(profile), profile, syscalls, ['x86_64', 'i386', 'x32']);
      }
  });

const ACTIONS = ['ALLOW', 'LOG', 'ERRNO', 'TRAP', 'TRACE', 'KILL', 'KILL_PROCESS', 'NOTIFY', 'KILL_THREAD'];

test('every action is what libseccomp makes of it, with its errno and without', { skip }, () => {
  for (const name of ACTIONS)
    for (const errnoRet of name === 'ERRNO' || name === 'TRACE' ? [undefined, null, 0, 1, 38, 4094] : [undefined]) {
      const entry: Entry = { names: ['read'], action: `SCMP_ACT_${name}`, ...(errnoRet !== undefined && { errnoRet }) };
      const profile: Profile = { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 7, syscalls: [entry] };
      agree(read(profile), profile, [entry], ['x86_64']);
    }
});

function randomProfile(random: Random): Profile {
  const names = ['socket', 'semget', 'read', 'socketcall', 'bind', 'ipc', 'clone'];
  const entry = (): Entry => ({
    names: [pick(random, names), ...(random() < 0.2 ? [pick(random, names)] : [])],
    action: `SCMP_ACT_${pick(random, ['ALLOW', 'ALLOW', 'ALLOW', 'LOG', 'ERRNO', 'KILL'])}`,
    args: Array.from({ length: pick(random, [0, 1, 1, 1, 2, 2, 3]) }, () => ({
      index: pick(random, [0, 1, 2, 5]),
      value: pick(random, VALUES),
      valueTwo: pick(random, VALUES),
      op: `SCMP_CMP_${pick(random, OPERATORS)}`,
    })),
  });
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: Array.from({ length: pick(random, [1, 2, 3, 4]) }, entry),
  };
}

/** Each rule that runc gives to libseccomp, alone: libseccomp 2.5.4 miscompiles some sets of rules, but none of one rule. */
function apart(profile: Profile): Entry[] {
  return profile.syscalls.flatMap((entry) => {
    const args = entry.args ?? [];
    const repeated = new Set(args.map(({ index }) => index)).size < args.length;
    const lists = repeated ? args.map((arg) => [arg]) : [args];
    return entry.names.flatMap((name) => lists.map((list) => ({ ...entry, names: [name], args: list })));
  });
}

/** What libseccomp documents for several rules: any that matches decides, and one without comparisons stands for its call. */
function expectation(profile: Profile, arches: readonly ArchName[]): (call: SeccompData) => Set<number> {
  const parts = apart(profile).map((entry) => ({ entry, judged: judge(profile, [entry], arches) }));
  const nothing = judge(profile, [], arches).program;
  return (call) => {
    const otherwise = interpret(nothing, call).action;
    const arch = arches.find((each) => syscallName(each, call.nr) && ARCHES[each].token === call.arch);
    const name = arch && syscallName(arch, call.nr);
    const actions = parts.map(({ entry, judged }) => ({ entry, action: interpret(judged.program, call).action }));
    const matches = actions.filter(({ action }) => action !== otherwise);
    const whole = matches.find(({ entry }) => entry.names[0] === name && entry.args?.length === 0);
    const decisive = whole ? [whole] : matches;
    return new Set(decisive.length === 0 ? [otherwise] : decisive.map(({ action }) => action));
  };
}

/** The call that a refusal names, on each ABI. */
function witnesses(message: string, arches: readonly ArchName[]): SeccompData[] {
  const [, name = '', words = ''] = /(\w+)\(([^)]*)\) gets/.exec(message) ?? [];
  const args = [...words.split(', ').map((word) => BigInt(word)), 0n, 0n, 0n, 0n, 0n].slice(0, 6);
  return arches.flatMap((arch) => {
    const nr = syscallNumber(arch, name);
    return nr === undefined ? [] : [{ arch: ARCHES[arch].token, nr, instructionPointer: 0n, args }];
  });
}

test('random profiles: what each rule decides in libseccomp, or a refusal that names both lines', { skip }, () => {
  const arches = ['x86_64', 'i386', 'x32'] as const;
  let [agreed, refused] = [0, 0];
  for (let seed = 1; seed <= 30; seed += 1) {
    const profile = randomProfile(seeded(seed));
    const expected = expectation(profile, arches);
    const calls = [...boundaryCalls(profile, arches)];
    try {
      const { kernel: _kernel, unknown: _unknown, ...plain } = read(profile).policy;
      const { program } = compilePolicy(plain);
      for (const call of calls) {
        const [wanted, found] = [[...expected(call)], interpret(program, call).action];
        if (wanted.length !== 1 || wanted[0] !== found) fail(call, wanted, found, profile);
      }
      agreed += 1;
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      assert.match(error.message, /^policy:\d+:\d+: .* by line \d+/);
      const differing = witnesses(error.message, arches).some((call) => expected(call).size > 1);
      assert.ok(differing, `seed ${seed}: ${error.message}\n${profileText(profile)}`);
      refused += 1;
    }
  }
  assert.ok(agreed > 15 && refused > 1, `${agreed} agreed, ${refused} refused`);
});
