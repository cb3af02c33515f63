import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printReturn } from '../../src/bpf/disassemble.ts';
import { interpretStack } from '../../src/bpf/stack.ts';
import { compilePolicy, compileService } from '../../src/compile/compile-policy.ts';
import { ARCHES, type ArchName } from '../../src/facts/arches.ts';
import { parseCall } from '../../src/policy/call-text.ts';
import { parsePolicy } from '../../src/policy/parse.ts';

const HEAD = 'selkie: 1\narches: [x86_64]\ndefault: errno(EPERM)\n';
const TEXT = `${HEAD}syscalls:\n  allow: [read, write]\n  errno(ENOSYS): [clone3]\nservice:\n  allow: [read]\n`;

test('the program of syscalls: permits the one call that narrows, that of service: over it does not', () => {
  const policy = parsePolicy(TEXT);
  const [before, service] = [compilePolicy(policy, { probe: true }), compileService(policy)];
  const fate = (stack: 'before' | 'after', call: string): string => {
    const programs = stack === 'before' ? [before.program] : [service.program, before.program];
    return printReturn(interpretStack(programs, parseCall(call, 'x86_64')).action, 'x86_64');
  };
  const narrow = 'seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, 4096)';
  const others = ['seccomp(SECCOMP_SET_MODE_FILTER, 0, 4096)', 'seccomp(SECCOMP_SET_MODE_FILTER, 9)', 'seccomp(0, 1)'];
  assert.equal(fate('before', narrow), 'allow');
  for (const call of others) assert.equal(fate('before', call), 'errno(EPERM)', call);
  for (const call of [...others, narrow, 'write(1)']) assert.equal(fate('after', call), 'errno(EPERM)', call);
  assert.equal(fate('after', 'read(0)'), 'allow');
  // Of two errnos the newer filter's is taken: what is refused by name stays as it was, and the probe tells which filter is there.
  assert.equal(fate('after', 'clone3(0, 0)'), 'errno(ENOSYS)');
  const probe = 'seccomp(0x5e1c1e00, 0x53454c4b)';
  assert.deepEqual([fate('before', probe), fate('after', probe)], ['errno(3517)', 'errno(3518)']);
});

test('a service that permits more than syscalls is refused', () => {
  const compiled = (rules: string) =>
    compileService(
      parsePolicy(`${HEAD}syscalls:\n  allow: [{ socket: domain == AF_UNIX }]\nservice:\n  allow: [${rules}]\n`),
    );
  assert.ok(compiled('{ socket: domain == AF_UNIX && type == SOCK_STREAM }').program.length > 3);
  for (const rules of ['socket', '{ socket: domain == AF_INET }', 'read'])
    assert.throws(() => compiled(rules), { name: 'PolicyError', code: 'wider_service' }, rules);
});

test('a service that allows what syscalls refuse by name is a conflict with both lines', () => {
  const text = `${HEAD}syscalls:\n  errno(EACCES): [mkdir]\nservice:\n  allow: [mkdir]\n`;
  assert.throws(() => compileService(parsePolicy(text)), {
    name: 'PolicyError',
    code: 'conflict',
    message: /^policy:5:19: .*line 7/,
  });
});

test('a service keeps what syscalls refuse by range or of other ABIs, and nothing that they allow there', () => {
  const rules = 'syscalls:\n  allow: [read, write, syscall(500..600)]\n  errno(ENOSYS): [syscall(601..700)]\n';
  const only = 'only:\n  other:\n    allow: [syscall(3..4)]\n    errno(EACCES): [syscall(5..6)]\n';
  const policy = parsePolicy(`${HEAD}${rules}${only}service:\n  allow: [read, syscall(510..520)]\n`);
  const [before, service] = [compilePolicy(policy), compileService(policy)];
  const after = (arch: ArchName, nr: number): readonly string[] => {
    const call = { nr, arch: ARCHES[arch].token, instructionPointer: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] };
    const stacks = [[before.program], [service.program, before.program]];
    return stacks.map((programs) => printReturn(interpretStack(programs, call).action, arch));
  };
  assert.deepEqual(after('x86_64', 515), ['allow', 'allow']);
  assert.deepEqual(after('x86_64', 521), ['allow', 'errno(EPERM)']);
  assert.deepEqual(after('x86_64', 650), ['errno(ENOSYS)', 'errno(ENOSYS)']);
  assert.deepEqual(after('i386', 3), ['allow', 'kill_process']);
  assert.deepEqual(after('i386', 5), ['errno(EACCES)', 'errno(EACCES)']);
  const wider = `${HEAD}${rules}${only}service:\n  allow: [syscall(590..601)]\n`;
  assert.throws(() => compileService(parsePolicy(wider)), { name: 'PolicyError' });
});
