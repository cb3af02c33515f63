import assert from 'node:assert/strict';
import test from 'node:test';
import { costOf } from '../../src/audit/cost.ts';
import { representatives } from '../../src/audit/representatives.ts';
import { subjectOf } from '../../src/audit/subject.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import { interpret } from '../../src/bpf/interpret.ts';
import { compilePolicy } from '../../src/compile/compile-policy.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { parsePolicy } from '../../src/policy/parse.ts';

const TEXT = `selkie: 1
sets: 1
arches: [x86_64, i386]
default: errno(EPERM)
syscalls:
  allow:
    - exit_group
    - getppid
    - socket: domain == AF_UNIX || domain == AF_INET6 && type == SOCK_STREAM
`;

function subjectAndProgram(text: string) {
  const policy = parsePolicy(text);
  const { program } = compilePolicy(policy);
  return { program, subject: subjectOf({ stack: [program], policy, arch: 'x86_64', isPolicy: true }) };
}

test('cost: instructions are those that the interpreter counts, the bitmap is for calls decided by their number', () => {
  const { program, subject } = subjectAndProgram(TEXT);
  const cost = costOf(subject, [program]);
  const of = (call: string) => cost.calls.find((each) => each.arch === 'x86_64' && each.call === call);
  const steps = (nr: number, ...args: readonly bigint[]): number =>
    interpret(program, {
      nr,
      arch: ARCHES.x86_64.token,
      instructionPointer: 0n,
      args: [...args, 0n, 0n, 0n, 0n, 0n, 0n].slice(0, 6),
    }).steps;
  const [exit, socket, read] = [of('exit_group'), of('socket'), of('read')];
  assert.ok(exit && socket && read);
  assert.equal(exit.least, steps(exit.nr));
  assert.equal(exit.most, exit.least);
  assert.equal(exit.bitmap, true);
  const ways = [steps(socket.nr, 1n), steps(socket.nr, 10n, 1n), steps(socket.nr, 10n, 2n), steps(socket.nr, 2n)];
  assert.equal(socket.most, Math.max(...ways));
  assert.ok(socket.least <= Math.min(...ways) && socket.least < socket.most);
  assert.equal(socket.bitmap, false);
  assert.deepEqual([read.permitted, read.bitmap], [false, false]);
  // 3 permitted calls of 2 ABIs, 2 each of which the bitmap serves.
  assert.deepEqual([cost.weight, cost.weightByBitmap], [6, 4]);
  assert.ok(cost.meanWithBitmap < cost.mean && cost.mean <= cost.worst);
});

test('cost: the mean goes by counts', () => {
  const { program, subject } = subjectAndProgram(TEXT);
  const only = (call: string) => costOf(subject, [program], new Map([['x86_64', new Map([[call, 7]])]]));
  const [byNumber, byArguments] = [only('getppid'), only('socket')];
  const most = (call: string) => byNumber.calls.find((each) => each.arch === 'x86_64' && each.call === call)?.most;
  assert.equal(byNumber.mean, most('getppid'));
  assert.equal(byNumber.meanWithBitmap, 0);
  assert.equal(byArguments.meanWithBitmap, most('socket'));
  assert.equal(byArguments.weight, 7);
});

test('cost: x32 calls are never in the bitmap', () => {
  const { program, subject } = subjectAndProgram(TEXT.replace('i386', 'x32'));
  const { calls } = costOf(subject, [program]);
  const bitmaps = calls.filter(({ bitmap }) => bitmap);
  assert.deepEqual(new Set(bitmaps.map(({ arch }) => arch)), new Set(['x86_64']));
  assert.equal(bitmaps.length, 2);
});

test('representatives: each gets the answer that its kind says, by as many instructions as it says', () => {
  const { program, subject } = subjectAndProgram(TEXT);
  const chosen = representatives(subject, [program]);
  assert.deepEqual(
    chosen.map(({ kind, call }) => `${call} ${kind}`),
    [
      'getppid permitted by its number',
      'getpid refused by its number',
      'socket permitted by arguments',
      'socket refused by arguments',
    ],
  );
  for (const { kind, nr, args, instructions } of chosen) {
    const { action, steps } = interpret(program, { nr, arch: ARCHES.x86_64.token, instructionPointer: 0n, args });
    assert.equal(action, kind.startsWith('permitted') ? 0x7fff_0000 : 0x0005_0001);
    assert.equal(steps, instructions);
  }
  const socket = chosen.find(({ call }) => call === 'socket');
  assert.equal(socket?.args[2], 0x7fff_ffffn);
});

test('cost: filters that are in force together cost their sum, for the same arguments', () => {
  const [one, other] = ['AF_UNIX', 'AF_INET']
    .map((domain) => compilePolicy(parsePolicy(TEXT.replace(/domain == AF_UNIX .*/, `domain == ${domain}`))))
    .map(({ program }) => program) as [Program, Program];
  const stack = [one, other];
  const subject = subjectOf({ stack, arch: 'x86_64', isPolicy: false });
  const { calls, instructions } = costOf(subject, stack);
  const socket = calls.find(({ call, arch }) => arch === 'x86_64' && call === 'socket');
  const sums = [1n, 2n, 3n, 1n << 32n].map((domain) =>
    stack
      .map((program) => {
        const args = [domain, 0n, 0n, 0n, 0n, 0n];
        return interpret(program, { nr: socket?.nr as number, arch: ARCHES.x86_64.token, instructionPointer: 0n, args })
          .steps;
      })
      .reduce((a, b) => a + b),
  );
  assert.equal(instructions, one.length + other.length);
  assert.equal(socket?.most, Math.max(...sums));
  assert.equal(calls.find(({ call }) => call === 'getppid')?.bitmap, true);
});
