import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { buildGo, GO_TOOLS } from '../support/go.ts';
import { runCommand, selkie } from '../support/selkie.ts';

const NEVER = ['execve', 'socket', 'ptrace', 'bpf'];

function cleanMoo(): void {
  rmSync('/tmp/moo', { recursive: true, force: true });
}

for (const { label, go, here } of GO_TOOLS)
  for (const cgo of [false, true])
    test(`the story holds as uid 65534: ${label}, ${cgo ? 'cgo' : 'pure'}`, {
      skip: here ? false : `${label} is not installed`,
    }, (context) => {
      const folder = scratchFolder(context);
      context.after(cleanMoo);
      for (const [program, output] of [
        ['story', 'makeTheFolder'],
        ['story-exec', 'withExec'],
        ['story-dial', 'withDial'],
      ] as const)
        buildGo(go, program, join(folder, output), { cgo });
      cleanMoo();
      const asNobody = { nobody: true, cwd: folder };
      const recorded = selkie(['record', './makeTheFolder'], asNobody);
      assert.equal(recorded.status, 0, recorded.stderr);
      const policy = readFileSync(join(folder, 'makeTheFolder.yaml'), 'utf8');
      const program = policy.slice(0, policy.indexOf('\nstart:'));
      for (const name of NEVER) assert.doesNotMatch(program, new RegExp(`- ${name}$`, 'm'));

      for (const binary of ['makeTheFolder', 'withExec', 'withDial']) {
        const sealed = selkie(['seal', '-p', 'makeTheFolder.yaml', binary, '-o', `${binary}.sealed`], { cwd: folder });
        assert.equal(sealed.status, 0, sealed.stderr);
      }
      for (let round = 0; round < 20; round += 1) {
        cleanMoo();
        const run = runCommand(['./makeTheFolder.sealed'], asNobody);
        assert.equal(run.status, 0, run.stderr);
      }
      for (const binary of ['withExec.sealed', 'withDial.sealed']) {
        cleanMoo();
        const refused = runCommand([`./${binary}`], asNobody);
        assert.match(refused.stdout + refused.stderr, /operation not permitted/, binary);
      }
      cleanMoo();
      const confined = selkie(['run', '-p', 'makeTheFolder.yaml', './makeTheFolder'], asNobody);
      assert.equal(confined.status, 0, confined.stderr);
    });
