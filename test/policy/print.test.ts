import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCondition } from '../../src/policy/condition.ts';
import { printCondition } from '../../src/policy/condition-print.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { printPolicy } from '../../src/policy/print.ts';
import { condition, policyModel } from './policies.ts';

test('printPolicy() is a fixed point: print(parse(print(p))) = print(p)', () => {
  const property = fc.property(policyModel, (model) => {
    const printed = printPolicy(model);
    assert.equal(printPolicy(parsePolicy(printed)), printed);
  });
  fc.assert(property, { numRuns: 2_000 });
});

test('printCondition() is a fixed point, and what it prints parses', () => {
  const property = fc.property(condition, (model) => {
    const printed = printCondition(model);
    assert.equal(printCondition(parseCondition(printed)), printed);
  });
  fc.assert(property, { numRuns: 5_000 });
});

const PRINTED = [
  ['fd==1', 'fd == 1'],
  ['prot & PROT_EXEC == PROT_EXEC', '(prot & PROT_EXEC) == PROT_EXEC'],
  ['not(prot & PROT_EXEC)==PROT_EXEC', 'not (prot & PROT_EXEC) == PROT_EXEC'],
  ['a == 1 || b == 2 && c == 3', 'a == 1 || b == 2 && c == 3'],
  ['(a == 1 || b == 2) && c == 3', '(a == 1 || b == 2) && c == 3'],
  ['((a == 1))', 'a == 1'],
  ['not (a == 1 && b == 2)', 'not (a == 1 && b == 2)'],
  ['a in [ 1,2 , X|Y ]', 'a in [1, 2, X|Y]'],
  ['u32(arg1) == ~(A|0x3)', 'u32(arg1) == ~(A|0x3)'],
  ['raw( arg1 ) & 3 == 1', '(raw(arg1) & 3) == 1'],
  ['mode == 0o644', 'mode == 0o644'],
  ['fd == - 1', 'fd == -1'],
] as const;

for (const [text, printed] of PRINTED) {
  test(`printCondition(): ${text} becomes ${printed}`, () =>
    assert.equal(printCondition(parseCondition(text)), printed));
}

const TEXT = `# Reviewed by hand
# twice
selkie: 1
sets: 1 # first edition
name: web
arches: [x86_64, i386]
# EPERM, as the program expects it
default: errno(EPERM)
kernel: "6.18"
unknown: errno(ENOSYS) # libc falls back
bad_arch: kill_process
syscalls:
  # what it needs
  allow:
    - "@go" # the runtime
    # logs only
    - socket: domain == AF_UNIX && (type & 0xf) in [SOCK_STREAM, SOCK_DGRAM] # no network
    - syscall(335)
  errno(ENOSYS):
    - "@fallback"
# where the ABIs differ
only: # two of them
  # sockets
  i386: # go through one call
    # of it
    allow: # only
      # making them
      - socketcall: call == 1 # no more
  x86_64:
    errno(ENOSYS):
      - clone3
start:
  allow:
    - execve
# once it listens
service: # much less
  allow:
    - read # and no more
# end
`;

test('printPolicy() gives a text back as it was, comments included', () => {
  assert.equal(printPolicy(parsePolicy(TEXT)), TEXT);
});

test('parsePolicy() reads JSON to the same policy', () => {
  const json = JSON.stringify({
    selkie: 1,
    default: 'errno(EPERM)',
    syscalls: { allow: ['read', { socket: 'domain == AF_UNIX' }] },
  });
  const yaml = 'selkie: 1\ndefault: errno(EPERM)\nsyscalls:\n  allow:\n    - read\n    - socket: domain == AF_UNIX\n';
  assert.equal(printPolicy(parsePolicy(json)), printPolicy(parsePolicy(yaml)));
});

test('numbers beyond 2^53 stay exact', () => {
  const text = 'count == 18446744073709551615 || count == 0xfffffffffffffffe || count == 9007199254740993';
  assert.equal(printCondition(parseCondition(text)), text);
});
