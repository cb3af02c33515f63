// The bars of the story: recorded once, sealed, then never a false refusal under load. Figures are printed for the record.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { Rule } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { setMembers } from '../../src/policy/sets.ts';
import { scratchFolder } from '../support/folders.ts';
import { buildGo, GO_TOOLS } from '../support/go.ts';
import { loadCpus } from '../support/load.ts';
import { runCommand, selkie } from '../support/selkie.ts';

const RUNS = 1000;
const REQUESTS = 100_000;
const LARGEST_STORY_POLICY = 48;

function cleanMoo(): void {
  rmSync('/tmp/moo', { recursive: true, force: true });
}

/** Names that rules with `allow` permit, sets spelled out. */
function allowed(rules: readonly Rule[]): { written: Set<string>; all: Set<string> } {
  const written = new Set<string>();
  const all = new Set<string>();
  for (const { action, call } of rules) {
    if (action.kind !== 'allow' || call.kind === 'number' || call.kind === 'range') continue;
    if (call.kind === 'name') written.add(call.name);
    const names = call.kind === 'name' ? [call.name] : (setMembers(1, call.name) ?? []).map((member) => member.name);
    for (const name of names) all.add(name);
  }
  return { written, all };
}

/** Names in the output of `strace -f -o`. */
function straceNames(file: string): Set<string> {
  const names = new Set<string>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const match = /^\d+ +(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed>)/.exec(line);
    if (match?.[1]) names.add(match[1]);
  }
  return names;
}

for (const { label, go, here } of GO_TOOLS)
  for (const cgo of [false, true]) {
    const kind = `${label}, ${cgo ? 'cgo' : 'pure'}`;
    test(`recorded once, ${RUNS} of ${RUNS} sealed runs succeed under load: ${kind}`, { skip: !here }, (context) => {
      const folder = scratchFolder(context);
      const asNobody = { nobody: true, cwd: folder };
      buildGo(go, 'story', join(folder, 'makeTheFolder'), { cgo });
      cleanMoo();
      const recorded = selkie(['record', './makeTheFolder'], asNobody);
      assert.equal(recorded.status, 0, recorded.stderr);
      const policy = parsePolicy(readFileSync(join(folder, 'makeTheFolder.yaml'), 'utf8'), {});
      const program = allowed(policy.syscalls);
      const start = allowed(policy.start ?? []);
      console.log(
        `${kind}: ${program.all.size} names permitted, ${program.written.size} written out; start: ${start.all.size}`,
      );
      if (!cgo) assert.ok(program.all.size <= LARGEST_STORY_POLICY, `${program.all.size} names`);
      for (const name of ['execve', 'socket', 'ptrace', 'bpf']) assert.equal(program.all.has(name), false, name);

      cleanMoo();
      runCommand(['strace', '-f', '-o', 'trace', './makeTheFolder'], { cwd: folder });
      const seen = straceNames(join(folder, 'trace'));
      assert.ok(seen.has('exit_group'));
      const fallback = new Set((setMembers(1, 'fallback') ?? []).map((member) => member.name));
      for (const name of seen)
        assert.ok(
          program.all.has(name) || start.all.has(name) || fallback.has(name),
          `${name} is in the trace but not in the policy`,
        );

      const sealed = selkie(['seal', '-p', 'makeTheFolder.yaml', 'makeTheFolder', '--in-place'], { cwd: folder });
      assert.equal(sealed.status, 0, sealed.stderr);
      const unload = loadCpus(availableParallelism());
      context.after(unload);
      context.after(cleanMoo);
      const failures: string[] = [];
      for (let run = 0; run < RUNS; run += 1) {
        cleanMoo();
        const { status, signal, stderr } = runCommand(['./makeTheFolder'], asNobody);
        if (status !== 0) failures.push(`run ${run}: ${status ?? signal} ${stderr}`);
      }
      console.log(`${kind}: ${RUNS - failures.length} of ${RUNS} runs succeeded under load`);
      assert.deepEqual(failures, []);
    });

    test(`a sealed HTTP server answers ${REQUESTS} requests with collections forced: ${kind}`, {
      skip: !here,
    }, (context) => {
      const folder = scratchFolder(context);
      const asNobody = { nobody: true, cwd: folder };
      buildGo(go, 'go-http', join(folder, 'server'), { cgo });
      const recorded = selkie(['record', './server', '-requests', '2000'], asNobody);
      assert.equal(recorded.status, 0, recorded.stderr);
      const sealed = selkie(['seal', '-p', 'server.yaml', 'server', '--in-place'], { cwd: folder });
      assert.equal(sealed.status, 0, sealed.stderr);
      const served = runCommand(['./server', '-requests', String(REQUESTS)], { ...asNobody, timeout: 1_200_000 });
      assert.equal(served.status, 0, served.stdout + served.stderr);
      assert.match(served.stdout, new RegExp(`answered ${REQUESTS}`));
    });
  }
