import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Place } from './places.ts';
import { type Finished, ROOT, runCommand, SELKIE, selkie } from './selkie.ts';

/** Holds what `selkie doctor` says in a place against what the commands do there. */

const POLICY = 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EPERM):\n    - reboot\n';

interface Verdict {
  readonly command: string;
  readonly works: boolean;
  readonly because?: string;
  readonly todo?: string;
  readonly note?: string;
}

export interface Report {
  readonly commands: readonly Verdict[];
  readonly features: readonly {
    readonly group: string;
    readonly name: string;
    readonly answer: string;
    readonly detail?: string;
  }[];
  readonly refused: readonly { readonly call: string; readonly answer: string }[];
  readonly place: Readonly<Record<string, unknown>>;
}

/** Runs one command in a place. */
export function runIn(place: Place, command: readonly string[], folder: string): Finished {
  return runCommand(place.wrap(command, folder), {
    cwd: folder,
    timeout: 20_000,
    env: { ...process.env, HOME: folder },
  });
}

/** Runs doctor there; its exit code agrees with its words. */
export function examine(place: Place, folder: string): Report {
  const finished = runIn(place, [process.execPath, SELKIE, 'doctor', '--json'], folder);
  assert.match(finished.stdout, /^\{/, finished.stderr);
  const report = JSON.parse(finished.stdout) as Report;
  assert.equal(finished.status, report.commands.every(({ works }) => works) ? 0 : 1);
  for (const { works, because, todo } of report.commands) {
    assert.equal(works, because === undefined);
    assert.equal(works, todo === undefined);
  }
  return report;
}

/** Confines a real Node process. */
const CONFINE = `
import { confine } from '${ROOT}build/src/confine.js';
confine({ allow: ['@stdio'] });
`;

/** Whether the commands really work there: each does its work on /bin/true. */
export function tryCommands(place: Place, folder: string): Readonly<Record<string, boolean>> {
  const policy = join(folder, 'policy.yaml');
  const recorded = join(folder, 'recorded.yaml');
  const sealed = join(folder, 'sealed');
  writeFileSync(policy, POLICY);
  rmSync(recorded, { force: true });
  assert.equal(selkie(['seal', '-q', '--force', '-p', policy, '/bin/true', '-o', sealed]).status, 0);
  const node = [process.execPath, SELKIE];
  const record = runIn(place, [...node, 'record', '-q', '--force', '-o', recorded, '/bin/true'], folder);
  return {
    record: record.status === 0 && existsSync(recorded),
    run: runIn(place, [...node, 'run', '-p', policy, '/bin/true'], folder).status === 0,
    seal: runIn(place, [sealed], folder).status === 0,
    confine: runIn(place, [process.execPath, '--input-type=module', '-e', CONFINE], folder).status === 0,
  };
}

/** @throws AssertionError where a verdict and the truth differ */
export function compareInPlace(place: Place, folder: string): Report {
  const report = examine(place, folder);
  const truth = tryCommands(place, folder);
  const said = Object.fromEntries(
    report.commands.filter(({ command }) => command in truth).map(({ command, works }) => [command, works]),
  );
  assert.deepEqual(said, truth, JSON.stringify(report.commands, null, 1));
  return report;
}
