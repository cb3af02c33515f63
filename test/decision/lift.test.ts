import assert from 'node:assert/strict';
import test from 'node:test';
import type { Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';
import { compile } from '../../src/compile/compile.ts';
import { canonical } from '../../src/decision/actions.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { diagramOfPolicy } from '../../src/decision/from-policy.ts';
import { diagramOfProgram } from '../../src/decision/from-program.ts';
import { liftDiagram } from '../../src/decision/lift/lift.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { randomPolicy, seeded } from '../support/random-policy.ts';

const HEAD = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\nbad_arch: kill_process\nsyscalls:\n';

function lift(program: Program) {
  const space = new Diagrams();
  return liftDiagram(space, diagramOfProgram(space, program));
}

/** Conditions that come back as they were written. */
const conditions = [
  'socket: domain == AF_UNIX && (type & SOCK_TYPE_MASK) == SOCK_STREAM',
  'socket: domain in [AF_UNIX, AF_INET, AF_INET6]',
  'socket: domain != AF_VSOCK',
  'openat: flags within [O_DIRECTORY, O_CLOEXEC]',
  'mmap: (prot & PROT_EXEC) == PROT_NONE',
  'lseek: offset >= 0x100000000 && offset <= 0x1ffffffff',
  'personality: u64(persona) in [0, 8, 0x20000, 0x20008, 0xffffffff]',
  'fcntl: cmd in [F_GETFL, F_SETFL]',
  'ioctl: request != 0x5412',
  'openat: dirfd == AT_FDCWD',
  'lseek: offset == 5 || whence == SEEK_END',
  'prctl: option == PR_SET_VMA && arg1 == 0',
  'fcntl: cmd in [F_DUPFD, F_SETFD]',
  'socket: not domain in [AF_UNIX, AF_INET]',
  'mprotect: prot within [PROT_READ, PROT_WRITE, PROT_EXEC]',
  'getrandom: u64(flags) within [GRND_NONBLOCK, GRND_INSECURE]',
  'clone: (flags & CLONE_VM|CLONE_VFORK|CLONE_THREAD) in [0, CLONE_VFORK, CLONE_VM|CLONE_VFORK]',
  'clone: flags == CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS',
  'futex: (futex_op & ~(FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME)) in [FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET]',
  'clock_gettime: u64(clockid) <= CLOCK_BOOTTIME',
  'tgkill: u64(tgid) == 1 && tid in [1, 2]',
  'kill: ip >= 0x7f0000000000 && ip <= 0x7f00ffffffff',
];
for (const rule of conditions)
  test(`liftDiagram() gives back: ${rule}`, () => {
    const text = `${HEAD}  allow:\n    - ${rule}\n    - read\n`;
    const { policy, isExact, problems } = lift(compile(resolvePolicy(parsePolicy(text))));
    assert.deepEqual(problems, []);
    assert.equal(isExact, true);
    // Alternatives and conjunctions come in the order of arguments.
    const parts = (line: string): string =>
      line
        .slice(line.indexOf(':') + 2)
        .split(/ && | \|\| /)
        .sort()
        .join();
    const lines = printPolicy(policy).split('\n');
    assert.ok(lines.map(parts).includes(parts(rule)), lines.join('\n'));
  });

test('liftDiagram(): random policies of every kind come back equal, or what does not fit is said', () => {
  const counts = { exact: 0, reported: 0 };
  const arches = ['x86_64', 'aarch64', 's390x'] as const;
  for (let seed = 1; seed <= 60; seed += 1) {
    const arch = arches[seed % arches.length] as (typeof arches)[0];
    const program = compile(randomPolicy(seeded(seed), { arches: [arch] }));
    const space = new Diagrams();
    const root = canonical(space, diagramOfProgram(space, program));
    const { policy, isExact, problems } = liftDiagram(space, root);
    assert.equal(isExact, problems.length === 0, `seed ${seed}`);
    counts[isExact ? 'exact' : 'reported'] += 1;
    if (!isExact) continue;
    const printed = parsePolicy(printPolicy(policy));
    assert.equal(canonical(space, diagramOfPolicy(space, resolvePolicy(printed))), root, `seed ${seed}`);
  }
  console.log(JSON.stringify(counts));
  assert.ok(counts.exact >= 20, JSON.stringify(counts));
});

test('calls that differ by ABI stand under only:', () => {
  const text = `${HEAD.replace('[x86_64]', '[x86_64, i386]')}  allow:\n    - read\nonly:\n  i386:\n    allow:\n      - socketcall: call == 1\n  x86_64:\n    allow:\n      - write\n`;
  const { policy, isExact } = lift(compile(resolvePolicy(parsePolicy(text))));
  assert.equal(isExact, true);
  assert.deepEqual(
    policy.syscalls.map(({ call, only }) => [call.kind === 'name' ? call.name : '', only]),
    [
      ['read', undefined],
      ['socketcall', undefined],
      ['write', 'x86_64'],
    ],
  );
});

test('-1 is a rule by number, as filters of libseccomp have it', () => {
  const text = `${HEAD}  allow:\n    - read\n  errno(EPERM):\n    - syscall(0xffffffff)\n`;
  const { policy, isExact } = lift(compile(resolvePolicy(parsePolicy(text))));
  assert.equal(isExact, true);
  assert.ok(printPolicy(policy).includes('- syscall(4294967295)'));
});

const ld = (k: number) => ({ code: op.BPF_LD | op.BPF_ABS, jt: 0, jf: 0, k });
const jeq = (k: number, jt: number, jf: number) => ({ code: op.BPF_JMP | op.BPF_JEQ, jt, jf, k });
const ret = (k: number) => ({ code: op.BPF_RET, jt: 0, jf: 0, k });

test('numbers of no call that get the same are a range', () => {
  const jge = (k: number, jt: number, jf: number) => ({ code: op.BPF_JMP | op.BPF_JGE, jt, jf, k });
  const { policy, isExact, problems } = lift([
    ...[ld(4), jeq(0xc000_003e, 1, 0), ret(0x8000_0000), ld(0)],
    ...[jge(0xc000_0000, 3, 0), jge(0x8000_0000, 3, 0), jge(0x4000_0000, 1, 0), ret(0x7fff_0000)],
    ...[ret(0x0005_0001), ret(0x0005_0002)],
  ]);
  assert.deepEqual([isExact, problems], [true, []]);
  assert.ok(printPolicy(policy).includes('    errno(ENOENT):\n      - syscall(0x80000000..0xbfffffff)\n'));
});

test('an allow-list is never lifted as a list of what is refused, whatever ranges it takes', () => {
  const text = `selkie: 1\narches: [x86_64]\ndefault: errno(EPERM)\nsyscalls:\n  allow:\n    - syscall(0..399)\n`;
  const { policy, isExact } = lift(compile(resolvePolicy(parsePolicy(text))));
  assert.deepEqual([isExact, policy.default.kind], [true, 'errno']);
});

test('numbers whose action depends on arguments, and that are too many to name, are reported, and all else is proven', () => {
  const { isExact, isExactElsewhere, problems } = lift([
    ...[ld(4), jeq(0xc000_003e, 1, 0), ret(0x8000_0000), ld(0), jeq(5, 2, 0)],
    ...[ld(16), jeq(7, 0, 1), ret(0x7fff_0000), ret(0x0005_0001)],
  ]);
  assert.deepEqual([isExact, isExactElsewhere], [false, true]);
  assert.match(problems.join('\n'), /^what syscall\(6\) to syscall\(1073741823\) of x86_64 get$/m);
});

test('a program that does not look at the architecture has its numbers under other:', () => {
  const { policy, isExact, problems } = lift([
    ...[ld(0), jeq(41, 0, 2), ld(16), jeq(1, 0, 2)],
    ...[jeq(59, 1, 0), ret(0x7fff_0000), ret(0x0005_0001)],
  ]);
  assert.deepEqual([isExact, problems], [true, []]);
  const lines = printPolicy(policy).split('\n');
  const wanted = ['arches: [x86_64]', 'bad_arch: allow', '    - execve', '      - syscall(59)'];
  for (const line of wanted) assert.ok(lines.includes(line), lines.join('\n'));
});

test('liftDiagram(): ranges and rules for other ABIs come back equal, or what does not fit is said', () => {
  let exact = 0;
  for (const arches of [['x86_64'], ['x86_64', 'x32'], ['x86_64', 'aarch64'], ['s390x']] as const)
    for (let seed = 1; seed <= 5; seed += 1) {
      const space = new Diagrams();
      const root = canonical(space, diagramOfPolicy(space, randomPolicy(seeded(seed), { arches, ranges: true })));
      const { policy, isExact, isExactElsewhere, problems } = liftDiagram(space, root);
      assert.deepEqual([isExact, isExactElsewhere], [problems.length === 0, true], `${arches}, seed ${seed}`);
      if (!isExact) continue;
      exact += 1;
      const printed = parsePolicy(printPolicy(policy));
      assert.equal(canonical(space, diagramOfPolicy(space, resolvePolicy(printed))), root, `${arches}, seed ${seed}`);
    }
  assert.ok(exact >= 3, `${exact}`);
});

const odd = [
  {
    claim: 'a program that looks at neither the architecture nor the number',
    program: [ld(16), jeq(59, 0, 1), ret(0x0005_0001), ret(0x7fff_0000)],
    problem: /^what syscall\(0\) to syscall\(4294967295\) get of other architectures/,
  },
  {
    claim: 'a token that nobody knows',
    program: [ld(4), jeq(0x1234, 0, 1), ret(0x0005_0001), ret(0x8000_0000)],
    problem: /0x1234/,
  },
];
for (const { claim, program, problem } of odd)
  test(`liftDiagram() reports ${claim}`, () => {
    const { isExact, problems } = lift(program);
    assert.equal(isExact, false);
    assert.ok(
      problems.some((text) => problem.test(text)),
      problems.join('\n'),
    );
  });

test('a program that always returns the same is a policy without rules', () => {
  const { policy, isExact } = lift([ret(0x7fff_0000)]);
  assert.equal(isExact, true);
  assert.deepEqual([policy.default.kind, policy.syscalls], ['allow', []]);
});
