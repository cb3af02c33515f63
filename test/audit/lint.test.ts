import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { costOf } from '../../src/audit/cost.ts';
import type { Finding } from '../../src/audit/finding.ts';
import { lint } from '../../src/audit/lint.ts';
import { RULES } from '../../src/audit/registry.ts';
import { subjectOf } from '../../src/audit/subject.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { BPF_JGE } from '../../src/bpf/opcode.ts';
import { compile } from '../../src/compile/compile.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { Diagrams } from '../../src/decision/diagrams.ts';
import { diagramOfPolicy } from '../../src/decision/from-policy.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { containerProfile } from '../support/container-profile.ts';
import { randomPolicy, seeded } from '../support/random-policy.ts';
import { jeq, jump, load, ret } from '../support/rows.ts';

const ALLOW = 0x7fff_0000;
const KILL = 0x8000_0000;
const EPERM = 0x0005_0001;
const X86_64 = 0xc000_003e;
const [NR, ARCH, ARG0] = [0, 4, 16];
const execve = 59;

/** All that a rule is not about is done well, so that what is found is what the case is about. */
const GOOD = `selkie: 1
sets: 1
arches: [x86_64]
default: errno(EPERM)
kernel: "6.18"
unknown: errno(ENOSYS)
syscalls:
  errno(ENOSYS): ["@fallback"]
  allow:
    - exit
    - exit_group
    - rt_sigreturn
    - restart_syscall
`;

function ofPolicy(text: string): readonly Finding[] {
  const policy = parsePolicy(text, { file: 'p.yaml' });
  const { program } = compilePolicy(policy, { arches: ['x86_64'] });
  const judged = lint(subjectOf({ stack: [program], policy, arch: 'x86_64', isPolicy: true }));
  // What is read from the program alone must agree, where no rule of a policy is needed.
  const plain = lint(subjectOf({ stack: [program], arch: 'x86_64', isPolicy: false }));
  const about = (findings: readonly Finding[]): readonly string[] =>
    findings
      .filter(({ id }) => !/^(?:dead-rule|rule-like-default|default-allow|wider-service)$/.test(id))
      .map(({ id, message }) => `${id} ${message}`);
  assert.deepEqual(about(plain), about(judged), text);
  return judged;
}

const ofProgram = (program: Program): readonly Finding[] =>
  lint(subjectOf({ stack: [program], arch: 'x86_64', isPolicy: false }));

/** A good policy and these further rules, under `allow` unless an action is named. */
const with_ = (...rules: readonly string[]): string => `${GOOD}${rules.map((rule) => `    - ${rule}\n`).join('')}`;
const denying = (...rules: readonly string[]): string =>
  `selkie: 1\nsets: 1\narches: [x86_64]\ndefault: allow\nsyscalls:\n  errno(EPERM):\n${rules.map((rule) => `    - ${rule}\n`).join('')}`;

/** x86-64 numbers from a program's own tests: `nr` lines. */
const guarded = (...rows: Program): Program => [
  load(ARCH),
  jeq(X86_64, 1, 0),
  ret(KILL),
  load(NR),
  jump(BPF_JGE, 0x4000_0000, 0, 1),
  ret(KILL),
  ...rows,
];

interface Case {
  readonly id: string;
  readonly claim: string;
  readonly found: string | Program;
  /** Almost the same, but right. */
  readonly missed: string | Program;
  readonly severity?: string;
  readonly says?: RegExp;
  readonly line?: number;
}

const CASES: readonly Case[] = [
  {
    id: 'open-abi',
    claim: 'a deny-list that does not test the x32 bit',
    found: [load(ARCH), jeq(X86_64, 1, 0), ret(KILL), load(NR), jeq(execve, 0, 1), ret(EPERM), ret(ALLOW)],
    missed: guarded(jeq(execve, 0, 1), ret(EPERM), ret(ALLOW)),
    severity: 'error',
    says: /x32 is open: execve, refused as x86_64, passes as number 0x40000208/,
  },
  {
    id: 'open-abi',
    claim: 'an allow-list that does not test arch: execve of i386 has the number of munmap',
    found: [load(NR), jeq(11, 0, 1), ret(ALLOW), ret(EPERM)],
    missed: [load(ARCH), jeq(X86_64, 0, 3), load(NR), jeq(11, 0, 1), ret(ALLOW), ret(EPERM)],
    severity: 'error',
    says: /i386 is open: execve, refused as x86_64, passes as number 11/,
  },
  {
    id: 'open-abi',
    claim: 'other ABIs permitted on purpose',
    found: GOOD.replace('kernel:', 'bad_arch: allow\nkernel:'),
    missed: GOOD,
    severity: 'error',
  },
  {
    id: 'missing-floor',
    claim: 'exit_group is not permitted',
    found: GOOD.replace('    - exit_group\n', ''),
    missed: GOOD,
    severity: 'error',
    says: /exit_group is refused/,
  },
  {
    id: 'missing-floor',
    claim: 'exit is permitted for some arguments only',
    found: GOOD.replace('    - exit\n', '    - exit: arg0 == 0\n'),
    missed: GOOD,
    severity: 'warning',
    says: /exit is refused/,
  },
  {
    id: 'sibling-open',
    claim: 'mkdir without mkdirat',
    found: denying('mkdir'),
    missed: denying('mkdir', 'mkdirat'),
    line: 7,
  },
  {
    id: 'sibling-open',
    claim: 'execve without execveat',
    found: denying('execve'),
    missed: denying('execve', 'execveat'),
  },
  {
    id: 'sibling-open',
    claim: 'open and openat without openat2 and creat',
    found: denying('open', 'openat'),
    missed: denying('open', 'openat', 'openat2', 'creat', 'open_by_handle_at'),
    says: /open and openat: refused, but one can still open files by openat2, creat and open_by_handle_at/,
  },
  {
    id: 'sibling-open',
    claim: 'openat narrowed by flags beside an open that is not',
    found: with_('"openat: flags within [O_RDONLY, O_CLOEXEC]"', 'open')
      .replaceAll('"openat', 'openat')
      .replaceAll('CLOEXEC]"', 'CLOEXEC]'),
    missed: with_('openat: flags within [O_RDONLY, O_CLOEXEC]'),
    says: /narrowed by arguments/,
  },
  {
    id: 'sibling-open',
    claim: 'clone refused beside fork; clone without namespaces beside fork is right',
    found: denying('clone', 'clone3'),
    missed: with_('clone: (flags & CLONE_NEWUSER) == 0', 'fork', 'vfork'),
  },
  {
    id: 'sibling-open',
    claim: 'socket of i386 beside socketcall, whose arguments are behind a pointer',
    found: with_('socket: domain == AF_UNIX', 'socketcall').replace('[x86_64]', '[i386]'),
    missed: with_('socket: domain == AF_UNIX').replace('[x86_64]', '[i386]'),
    says: /make sockets by socketcall/,
  },
  {
    id: 'sibling-open',
    claim: 'futex of i386 without futex_time64',
    found: with_('futex: futex_op == FUTEX_WAIT', 'futex_time64').replace('[x86_64]', '[i386]'),
    missed: with_('futex: futex_op == FUTEX_WAIT', 'futex_time64: futex_op == FUTEX_WAIT').replace(
      '[x86_64]',
      '[i386]',
    ),
  },
  {
    id: 'io-uring',
    claim: 'a ring beside sockets that are refused',
    found: denying('socket'),
    missed: denying('socket', 'io_uring_setup', 'io_uring_enter', 'io_uring_register'),
    says: /does not hold/,
  },
  {
    id: 'io-uring',
    claim: 'nothing is refused that a ring can do',
    found: denying('connect'),
    missed: denying('ptrace'),
  },
  {
    id: 'pointer-compared',
    claim: 'an address of a path is compared',
    found: guarded(jeq(2, 0, 3), load(ARG0), jeq(0x1234, 0, 1), ret(EPERM), ret(ALLOW)),
    missed: with_('openat: pathname == 0'),
    severity: 'error',
    says: /open depends on the address in pathname/,
  },
  {
    id: 'pointer-compared',
    claim: 'half of an address is compared with 0',
    found: guarded(jeq(2, 0, 3), load(ARG0), jeq(0, 0, 1), ret(EPERM), ret(ALLOW)),
    missed: guarded(jeq(2, 0, 5), load(ARG0), jeq(0, 0, 3), load(ARG0 + 4), jeq(0, 0, 1), ret(EPERM), ret(ALLOW)),
  },
  {
    id: 'fallback-errno',
    claim: 'clone3 with EPERM beside clone',
    found: with_('clone').replace('"@fallback"', '"openat2"'),
    missed: with_('clone'),
    says: /clone3/,
  },
  {
    id: 'fallback-errno',
    claim: 'openat2 with EPERM where openat is refused too',
    found: with_('openat').replace('"@fallback"', '"clone3"'),
    missed: GOOD.replace('"@fallback"', '"clone3"'),
  },
  {
    id: 'kill-probe',
    claim: 'io_uring_setup kills',
    found: GOOD.replace('allow:', 'kill_process: [io_uring_setup]\n  allow:'),
    missed: GOOD.replace('allow:', 'kill_process: [ptrace]\n  allow:'),
    says: /ends the process for io_uring_setup/,
    line: 9,
  },
  {
    id: 'kill-probe',
    claim: 'most of a floor is open, and what is left kills',
    found: `${with_('"@go"').replace('allow:', 'kill_process: [tgkill]\n  allow:')}`,
    missed: with_('"@go"'),
    severity: 'note',
    says: /go, as it seems, whose runtime may make tgkill/,
  },
  {
    id: 'effective-width',
    claim: 'TIOCSTI is refused by 64 bits (CVE-2019-10063)',
    found: denying('ioctl: u64(request) == TIOCSTI'),
    missed: denying('ioctl: request == TIOCSTI'),
    severity: 'error',
    says: /lets through what is refused/,
    line: 7,
  },
  {
    id: 'effective-width',
    claim: 'a permission by 64 bits is only stricter',
    found: with_('ioctl: u64(request) == TIOCSTI'),
    missed: with_('ioctl: request == TIOCSTI'),
    severity: 'note',
  },
  {
    id: 'errno-zero',
    claim: 'a call that seems to succeed',
    found: GOOD.replace('allow:', 'return_zero: [getuid]\n  allow:'),
    missed: GOOD.replace('allow:', 'errno(EINVAL): [getuid]\n  allow:'),
    line: 9,
  },
  {
    id: 'errno-range',
    claim: 'errno above 4095',
    found: guarded(jeq(1, 0, 1), ret(0x0005_1000), ret(ALLOW)),
    missed: guarded(jeq(1, 0, 1), ret(0x0005_0fff), ret(ALLOW)),
  },
  {
    id: 'kill-thread',
    claim: 'kill_thread',
    found: GOOD.replace('allow:', 'kill_thread: [ptrace]\n  allow:'),
    missed: GOOD.replace('allow:', 'kill_process: [ptrace]\n  allow:'),
    line: 9,
  },
  {
    id: 'kill-thread',
    claim: 'kill_thread for other ABIs only is a note',
    found: GOOD.replace('kernel:', 'bad_arch: kill_thread\nkernel:'),
    missed: GOOD,
    severity: 'note',
    says: /other ABIs/,
  },
  {
    id: 'allow-data',
    claim: 'allow with data',
    found: guarded(jeq(1, 0, 1), ret(ALLOW + 1), ret(KILL)),
    missed: guarded(jeq(1, 0, 1), ret(ALLOW), ret(KILL)),
  },
  {
    id: 'unknown-action',
    claim: 'an action of no kernel',
    found: guarded(jeq(1, 0, 1), ret(0x0004_0000), ret(ALLOW)),
    missed: guarded(jeq(1, 0, 1), ret(0x7ffc_0000), ret(ALLOW)),
    severity: 'error',
  },
  {
    id: 'no-listener',
    claim: 'notify',
    found: GOOD.replace('allow:', 'notify: [connect]\n  allow:'),
    missed: GOOD,
    severity: 'note',
  },
  {
    id: 'no-tracer',
    claim: 'trace',
    found: GOOD.replace('allow:', 'trace(1): [connect]\n  allow:'),
    missed: GOOD,
    severity: 'note',
  },
  {
    id: 'newer-calls',
    claim: 'no unknown',
    found: GOOD.replace('kernel: "6.18"\nunknown: errno(ENOSYS)\n', ''),
    missed: GOOD.replace('kernel: "6.18"\nunknown: errno(ENOSYS)\n', '').replace('EPERM', 'ENOSYS'),
  },
  { id: 'default-allow', claim: 'a deny-list, by its text or by its program', found: denying('ptrace'), missed: GOOD },
  {
    id: 'default-allow',
    claim: 'a program that permits the rest',
    found: guarded(jeq(1, 0, 1), ret(KILL), ret(ALLOW)),
    missed: guarded(jeq(1, 0, 1), ret(ALLOW), ret(KILL)),
  },
  {
    id: 'dead-rule',
    claim: 'the same rule twice',
    found: with_('read', 'read'),
    missed: with_('read', 'write'),
    line: 15,
  },
  {
    id: 'dead-rule',
    claim: 'a condition beside the whole call',
    found: with_('socket: domain == AF_UNIX', 'socket'),
    missed: with_('socket: domain == AF_UNIX', 'socket: domain == AF_INET'),
    line: 14,
  },
  {
    id: 'dead-rule',
    claim: 'a condition that a later one holds',
    found: with_('socket: domain == AF_INET', 'socket: domain in [AF_UNIX, AF_INET]'),
    missed: with_('socket: domain == AF_INET', 'socket: domain in [AF_UNIX, AF_INET6]'),
    line: 14,
  },
  {
    id: 'dead-rule',
    claim: 'a condition that another one holds',
    found: with_('socket: domain in [AF_UNIX, AF_INET]', 'socket: domain == AF_INET'),
    missed: with_('socket: domain in [AF_UNIX, AF_INET]', 'socket: domain == AF_INET6'),
    line: 15,
  },
  {
    id: 'dead-rule',
    claim: 'a condition beside its set; a name beside its set tells why it is there',
    found: with_('"@network"', 'socket: domain == AF_UNIX'),
    missed: with_('"@network"', 'socket'),
    line: 15,
  },
  {
    id: 'wider-service',
    claim: 'a call of the service that is refused before it',
    found: `${GOOD}service:\n  allow: [exit_group, read]\n`,
    missed: `${GOOD}service:\n  allow: [exit_group]\n`,
    severity: 'error',
    line: 15,
  },
  {
    id: 'dead-rule',
    claim: 'a range within another one',
    found: with_('syscall(1000..2000)', 'syscall(1500..1600)'),
    missed: with_('syscall(1000..2000)', 'syscall(2001..2100)'),
    line: 15,
  },
  {
    id: 'rule-like-default',
    claim: 'a range that gets what unknown numbers get anyway',
    found: GOOD.replace('["@fallback"]', '["@fallback", syscall(1000..2000)]'),
    missed: GOOD.replace('["@fallback"]', '["@fallback", syscall(100..2000)]'),
    severity: 'note',
    line: 8,
  },
  {
    id: 'rule-like-default',
    claim: 'a refusal that the default gives',
    found: GOOD.replace('allow:', 'errno(EPERM): [ptrace]\n  allow:'),
    missed: GOOD.replace('allow:', 'errno(EACCES): [ptrace]\n  allow:'),
    severity: 'note',
    line: 9,
  },
  {
    id: 'unknown-bits',
    claim: 'flags with one bit tested; within names those that may be set',
    found: with_('openat: (flags & O_CREAT) == 0'),
    missed: with_('openat: flags within [O_RDONLY, O_CLOEXEC]'),
    severity: 'note',
  },
  {
    id: 'risky-open',
    claim: 'ptrace',
    found: with_('ptrace'),
    missed: with_('getpid'),
    severity: 'note',
    line: 14,
  },
  {
    id: 'risky-open',
    claim: 'clone with CLONE_NEWUSER',
    found: with_('clone'),
    missed: with_('clone: (flags & CLONE_NEWUSER) == 0'),
    severity: 'note',
    says: /CLONE_NEWUSER/,
  },
];

const judge = (filter: string | Program): readonly Finding[] =>
  typeof filter === 'string' ? ofPolicy(filter) : ofProgram(filter);

for (const { id, claim, found, missed, severity, says, line } of CASES)
  test(`lint ${id}: ${claim}`, () => {
    const hits = judge(found).filter((finding) => finding.id === id);
    const [hit] = says ? hits.filter(({ message }) => says.test(message)) : hits;
    assert.ok(
      hit,
      `not found among: ${judge(found)
        .map((each) => `${each.id} ${each.message}`)
        .join('\n')}`,
    );
    if (severity) assert.equal(hit.severity, severity);
    if (line) assert.equal(hit.place?.line, line);
    const again = judge(missed).filter((finding) => finding.id === id && (!says || says.test(finding.message)));
    assert.deepEqual(again, []);
  });

test('every rule has a case that finds it', () => {
  const tried = new Set(CASES.map(({ id }) => id));
  assert.deepEqual(
    RULES.map(({ id }) => id).filter((id) => !tried.has(id)),
    [],
  );
});

test('lint dead-rule: of three rules of which any two hold the third one is dead; without it nothing is', () => {
  const pairs = ['AF_UNIX, AF_INET', 'AF_INET, AF_INET6', 'AF_UNIX, AF_INET6'].map(
    (two) => `socket: domain in [${two}]`,
  );
  const dead = (text: string): number => ofPolicy(text).filter(({ id }) => id === 'dead-rule').length;
  assert.equal(dead(with_(...pairs)), 1);
  assert.equal(dead(with_(...pairs.slice(0, 2))), 0);
});

test('lint dead-rule: without the dead rules nothing changes, without any other rule something does', () => {
  const random = seeded(7);
  let deadRules = 0;
  for (let round = 0; round < 150; round += 1) {
    const rules = Array.from({ length: 2 + Math.floor(5 * random()) }, () => {
      const domains = ['AF_UNIX', 'AF_INET', 'AF_INET6', 'AF_NETLINK'].filter(() => random() < 0.5);
      return domains.length === 0 ? 'socket' : `socket: domain in [${domains}]`;
    });
    const space = new Diagrams();
    const meaning = (kept: readonly string[]) => diagramOfPolicy(space, resolvePolicy(parsePolicy(with_(...kept))));
    const lines = ofPolicy(with_(...rules))
      .filter(({ id }) => id === 'dead-rule')
      .map(({ place }) => (place?.line ?? 0) - 14);
    const kept = rules.filter((_, index) => !lines.includes(index));
    deadRules += lines.length;
    assert.equal(meaning(kept), meaning(rules), rules.join('; '));
    for (const index of kept.keys())
      assert.notEqual(
        meaning(kept.filter((_, each) => each !== index)),
        meaning(kept),
        `${kept.join('; ')}: ${kept[index]}`,
      );
  }
  assert.ok(deadRules > 100, String(deadRules));
});

test('lint and cost: programs of every kind are judged to the end', () => {
  const ids = new Set(RULES.map(({ id }) => id));
  for (let seed = 1; seed <= 12; seed += 1) {
    const program = compile(randomPolicy(seeded(seed)));
    const subject = subjectOf({ stack: [program], arch: 'x86_64', isPolicy: false });
    for (const { id, arches } of lint(subject)) {
      assert.ok(ids.has(id));
      assert.ok(arches.length <= subject.abis.length);
    }
    for (const { least, most } of costOf(subject, [program]).calls)
      assert.ok(least >= 1 && least <= most && most <= program.length);
  }
});

test('lint: filters that are in force together are judged together', () => {
  const program = (text: string): Program => compilePolicy(parsePolicy(text)).program;
  const both = [denying('mkdir'), denying('mkdirat')].map(program);
  const found = (stack: readonly Program[]): boolean =>
    lint(subjectOf({ stack, arch: 'x86_64', isPolicy: false })).some(({ message }) => message.startsWith('mkdir'));
  assert.deepEqual([found(both.slice(0, 1)), found(both.slice(1)), found(both)], [true, true, false]);
  assert.ok(lint(subjectOf({ stack: [], arch: 'x86_64', isPolicy: false })).some(({ id }) => id === 'default-allow'));
});

test('a good policy: nothing is found', () => assert.deepEqual(ofPolicy(GOOD), []));

test('the effective filter is judged, whatever its form: a ring of the same meaning in other words', () => {
  const one = denying('ioctl: u64(request) == TIOCSTI');
  const other = denying('ioctl: not u64(request) != 0x5412');
  const ids = (text: string): readonly string[] => ofPolicy(text).map(({ id, message }) => `${id} ${message}`);
  assert.deepEqual(ids(one), ids(other));
});

const PROFILE = '/usr/share/containers/seccomp.json';
test('the profile of container engines: few and true findings', {
  skip: existsSync(PROFILE) ? false : `${PROFILE} is not here`,
}, () => {
  const policy = containerProfile(readFileSync(PROFILE, 'utf8'), 'x86_64');
  const { program } = compilePolicy(policy, { arches: ['x86_64'] });
  const findings = lint(subjectOf({ stack: [program], policy, arch: 'x86_64', isPolicy: true }));
  const serious = findings.filter(({ severity }) => severity !== 'note').map(({ id, message }) => `${id}: ${message}`);
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'error'),
    [],
  );
  assert.ok(serious.length <= 4, serious.join('\n'));
});
