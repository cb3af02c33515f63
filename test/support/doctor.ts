import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { taskStatus } from '../../src/kernel/task-status.ts';
import type { Place } from './places.ts';
import { type Finished, ROOT, runCommand, SELKIE, selkie } from './selkie.ts';

/** Holds what `selkie doctor` says in a place against what the commands do there. */

const POLICY = 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls:\n  errno(EPERM):\n    - reboot\n';

/** What `run` is tried with: calls that end at the entry. */
const WITH_START = `${POLICY}    - acct\nstart:\n  allow:\n    - acct: arg0 == 0\n`;

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

/** Collects the filters that /bin/true installs: none. */
const LIFT = `
import { collectInstallations } from '${ROOT}build/src/lift/installations.js';
const { installations, status, error } = await collectInstallations({ command: ['/bin/true'] });
process.exitCode = status.code === 0 && installations.length === 0 && error === undefined ? 0 : 1;
`;

/** A process with a filter whose own is read, by Selkie in that place. */
function canReadFilters(place: Place, folder: string, policy: string): boolean {
  const victim = spawn(process.execPath, [SELKIE, 'run', '-p', policy, 'sleep', '20'], { stdio: 'ignore' });
  while (taskStatus(victim.pid as number)?.name !== 'sleep') spawnSync('sleep', ['0.05']);
  const { status } = runIn(place, [process.execPath, SELKIE, 'disasm', `pid:${victim.pid}`], folder);
  victim.kill('SIGKILL');
  return status === 0;
}

/** Whether the commands really work there: each does its work on /bin/true. */
export function tryCommands(place: Place, folder: string): Readonly<Record<string, boolean>> {
  const policy = join(folder, 'policy.yaml');
  const recorded = join(folder, 'recorded.yaml');
  const sealed = join(folder, 'sealed');
  const withStart = join(folder, 'with-start.yaml');
  writeFileSync(policy, POLICY);
  writeFileSync(withStart, WITH_START);
  rmSync(recorded, { force: true });
  assert.equal(selkie(['seal', '-q', '--force', '-p', policy, '/bin/true', '-o', sealed]).status, 0);
  const node = [process.execPath, SELKIE];
  const record = runIn(place, [...node, 'record', '-q', '--force', '-o', recorded, '/bin/true'], folder);
  return {
    record: record.status === 0 && existsSync(recorded),
    run: runIn(place, [...node, 'run', '-p', withStart, '/bin/true'], folder).status === 0,
    seal: runIn(place, [sealed], folder).status === 0,
    confine: runIn(place, [process.execPath, '--input-type=module', '-e', CONFINE], folder).status === 0,
    lift: runIn(place, [process.execPath, '--input-type=module', '-e', LIFT], folder).status === 0,
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
  comparePidN(place, folder, report);
  return report;
}

/** pid:N: what doctor tried on a child, and what it does on a process from outside. Elsewhere that process has another pid. */
function comparePidN(place: Place, folder: string, report: Report): void {
  const { answer } = report.features.find(({ name }) => name === 'filters of a process (pid:N)') ?? {};
  if (answer === 'unknown' || place.hidesOthers) return;
  assert.equal(answer === 'yes', canReadFilters(place, folder, join(folder, 'policy.yaml')), JSON.stringify(report));
}
