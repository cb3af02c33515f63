// Compiled programs in the real kernel, for x86_64, x32 and i386. Every return is mapped to an errno of its own, so nothing executes. Left out:
// 335 (uretprobe) and 336 (uprobe), which the kernel lets pass before any filter, and numbers of other tokens, which cannot be called.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { encodeProgram } from '../../src/bpf/codec.ts';
import type { Program } from '../../src/bpf/instruction.ts';
import * as op from '../../src/bpf/opcode.ts';
import { compile } from '../../src/compile/compile.ts';
import { ARCHES } from '../../src/facts/arches.ts';
import { SECCOMP_RET_ERRNO, type SeccompData } from '../../src/facts/seccomp.ts';
import { decide } from '../../src/policy/decide.ts';
import { show } from '../support/agreement.ts';
import { boundaryCall, callsOfEveryRule, randomPolicy, seeded } from '../support/random-policy.ts';
import { ROOT } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

const POLICIES = 20;
const CALLS = 1200;
const CALL_SIZE = 56;

const folder = mkdtempSync(join(tmpdir(), 'selkie-caller-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Errnos from 1 on, one for each action of a program. */
function errnosOf(program: Program): ReadonlyMap<number, number> {
  const actions = new Set(program.filter(({ code }) => (code & op.CLASS_MASK) === op.BPF_RET).map(({ k }) => k));
  return new Map([...actions].map((action, index) => [action, index + 1]));
}

function withErrnos(program: Program, errnos: ReadonlyMap<number, number>): Program {
  return program.map((instruction) => {
    if ((instruction.code & op.CLASS_MASK) !== op.BPF_RET) return instruction;
    return { ...instruction, k: SECCOMP_RET_ERRNO | (errnos.get(instruction.k) as number) };
  });
}

/** Calls as this machine's caller can make them: i386 arguments have 32 bits; the instruction pointer is the caller's own. */
function callable({ nr, arch, args }: SeccompData): SeccompData | undefined {
  if (nr === 335 || nr === 336) return undefined;
  if (arch === ARCHES.x86_64.token) return { nr, arch, args, instructionPointer: 0n };
  if (arch !== ARCHES.i386.token) return undefined;
  return { nr, arch, args: args.map((value) => value & 0xffff_ffffn), instructionPointer: 0n };
}

function encodeCalls(calls: readonly SeccompData[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(calls.length * CALL_SIZE));
  calls.forEach(({ nr, arch, args }, index) => {
    view.setUint32(index * CALL_SIZE, arch === ARCHES.i386.token ? 1 : 0, true);
    view.setUint32(index * CALL_SIZE + 4, nr, true);
    args.forEach((value, argument) => {
      view.setBigUint64(index * CALL_SIZE + 8 + 8 * argument, value, true);
    });
  });
  return new Uint8Array(view.buffer);
}

test('the kernel decides as decide() does: x86_64, x32 and i386', {
  skip: missingTools('gcc'),
}, () => {
  const caller = join(folder, 'caller');
  execFileSync('gcc', ['-O1', '-static', '-o', caller, join(ROOT, 'test/programs/caller.c')]);
  const made = { x86_64: 0, x32: 0, i386: 0 };
  for (let seed = 1; seed <= POLICIES; seed += 1) {
    const random = seeded(5000 + seed);
    const policy = randomPolicy(random, { arches: ['x86_64', 'x32', 'i386'], instructionPointer: false });
    const drawn = [...callsOfEveryRule(policy), ...Array.from({ length: CALLS }, () => boundaryCall(random, policy))];
    const calls = drawn.flatMap((call) => callable(call) ?? []);
    const program = compile(policy);
    const errnos = errnosOf(program);
    writeFileSync(join(folder, 'program'), encodeProgram(withErrnos(program, errnos)));
    writeFileSync(join(folder, 'calls'), encodeCalls(calls));
    writeFileSync(join(folder, 'answers'), new Uint8Array(8 * calls.length));
    const { status, stderr } = spawnSync(caller, ['program', 'calls', 'answers'], { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const bytes = readFileSync(join(folder, 'answers'));
    calls.forEach((call, index) => {
      const wanted = errnos.get(decide(policy, call)) as number;
      assert.equal(bytes.readBigInt64LE(8 * index), BigInt(-wanted), `seed ${seed}: ${show(call)}`);
      made[call.arch === ARCHES.i386.token ? 'i386' : call.nr >= 0x4000_0000 ? 'x32' : 'x86_64'] += 1;
    });
  }
  const total = made.x86_64 + made.x32 + made.i386;
  assert.ok(total >= 20_000 && Math.min(made.x86_64, made.x32, made.i386) >= 4000, JSON.stringify(made));
});
