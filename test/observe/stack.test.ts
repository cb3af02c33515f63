// gdb is the oracle: what is unwound without ptrace are the innermost frames that gdb finds, to the last or to one that needs an unknown register.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Images, type Place } from '../../src/observe/modules.ts';
import { stackOf } from '../../src/observe/stack.ts';
import { scratchFolder } from '../support/folders.ts';
import { ROOT, runCommand } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

interface GdbFrame {
  readonly pc: bigint;
  readonly sp: string;
  /** The kernel made it for a handler. */
  readonly isSignal: boolean;
}

/** gdb's frames by thread, without those that it makes up for functions that were inlined or left by a jump: these share the stack pointer. */
function gdbFrames(pid: number): ReadonlyMap<number, readonly GdbFrame[]> {
  const words = ['debuginfod enabled off', 'backtrace past-main on', 'backtrace past-entry on', 'pagination off'];
  const settings = words.flatMap((word) => ['-iex', `set ${word}`]);
  const print = 'thread apply all frame apply all printf "AT %lx %lx\\n", $pc, $sp';
  const { stdout } = runCommand(['gdb', '-nx', '-batch', ...settings, '-p', String(pid), '-ex', print]);
  const threads = new Map<number, GdbFrame[]>();
  let frames: GdbFrame[] = [];
  let isSignal = false;
  for (const line of stdout.split('\n')) {
    const lwp = /^Thread \d+ .*?\(?(?:LWP|process) (\d+)\)/.exec(line)?.[1];
    if (lwp !== undefined) {
      frames = [];
      threads.set(Number(lwp), frames);
    }
    if (/^#\d+ /.test(line)) isSignal = line.includes('<signal handler called>');
    const [, pc, sp] = /^AT ([0-9a-f]+) ([0-9a-f]+)$/.exec(line) ?? [];
    if (pc === undefined || sp === undefined) continue;
    if (frames.at(-1)?.sp === sp) frames.pop();
    frames.push({ pc: BigInt(`0x${pc}`), sp, isSignal });
  }
  return threads;
}

/** Waits until all threads of a process sleep in a call, the last one for a while. */
async function waiting(child: ChildProcess): Promise<readonly number[]> {
  for (let calm = 0, tries = 0; calm < 5; tries += 1) {
    assert.ok(tries < 500, 'the program does not wait');
    await sleep(20);
    const tids = readdirSync(`/proc/${child.pid}/task`).map(Number);
    const isCalm = tids.every((tid) => /^\d+ 0x/.test(readFileSync(`/proc/${tid}/syscall`, 'latin1')));
    calm = isCalm ? calm + 1 : 0;
  }
  return readdirSync(`/proc/${child.pid}/task`).map(Number);
}

/** Compares the frames of all threads with gdb's. @returns for each how many we have, and how many gdb has in files */
async function compare(child: ChildProcess): Promise<readonly (readonly [number, number])[]> {
  const tids = await waiting(child);
  // All of ours first: gdb stops and wakes all threads.
  const ours = tids.map((tid) => {
    const fields = readFileSync(`/proc/${tid}/syscall`, 'latin1').trim().split(' ');
    const placeOf = new Images().placesOf(tid);
    return {
      tid,
      placeOf,
      places: [...stackOf(tid, BigInt(fields.at(-1) ?? 0), fields.slice(1, 7).map(BigInt), placeOf)],
    };
  });
  const threads = gdbFrames(child.pid ?? 0);
  return ours.map(({ tid, placeOf, places }) => {
    const frames = threads.get(tid) ?? [];
    assert.ok(frames.length > 0, 'gdb finds nothing');
    const wanted: { readonly path: string; readonly address: number }[] = [];
    for (const [index, { pc, isSignal }] of frames.entries()) {
      const place: Place | undefined = placeOf(frames[index - 1]?.isSignal ? pc : pc - 1n);
      if (place?.image && !isSignal) wanted.push({ path: place.path, address: place.address });
    }
    const got = places.map(({ path, address }) => ({ path, address }));
    assert.deepEqual(got, wanted.slice(0, got.length));
    return [got.length, wanted.length] as const;
  });
}

const KINDS = ['deep', 'sized', 'callback', 'thread', 'signal', 'own-stack', 'interrupted'];
const BUILDS = ['-O2', '-O2 -fomit-frame-pointer -static', '-O2 -static-pie', '-O0'];

for (const flags of BUILDS)
  test(`stacks of a C program are gdb's: gcc ${flags}`, { skip: missingTools('gcc', 'gdb') }, async (context) => {
    const file = join(scratchFolder(context), 'waits');
    const { status, stderr } = runCommand([
      'gcc',
      ...flags.split(' '),
      '-o',
      file,
      join(ROOT, 'test/programs/waits.c'),
    ]);
    assert.equal(status, 0, stderr);
    for (const kind of KINDS) {
      const child = spawn(file, [kind], { stdio: 'ignore' });
      try {
        for (const [ours, theirs] of await compare(child)) {
          // Frames that are found by rbp end the walk: those of sized, and all that -O0 makes of the program.
          if (kind !== 'sized' && flags !== '-O0') assert.equal(ours, theirs, kind);
          assert.ok(ours >= 2, kind);
        }
      } finally {
        child.kill('SIGKILL');
      }
    }
  });

test("stacks of Node's threads are gdb's", { skip: missingTools('gdb') }, async (context) => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 600000)'], { stdio: 'ignore' });
  context.after(() => child.kill('SIGKILL'));
  let ours = 0;
  for (const [count] of await compare(child)) ours += count;
  assert.ok(ours >= 20, String(ours));
});
