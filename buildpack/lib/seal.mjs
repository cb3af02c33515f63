// seal.mjs BUILD_DIR SELKIE: seals what the app wants sealed, in place, by the Selkie of bin/compile.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Refusal, readPlan } from './plan.mjs';

/** A recorded command must end by itself. */
const RECORD_SECONDS = 60;

const [, , build, selkie] = process.argv;

function say(text) {
  if (text !== '') console.log(text.trimEnd().replace(/^/gm, '       '));
}

/** Shows what a command says as buildpacks do. @returns its exit code; undefined where it did not end in time */
function run(words, seconds) {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [selkie, ...words], {
    cwd: build,
    encoding: 'utf8',
    ...(seconds === undefined ? {} : { timeout: 1000 * seconds, killSignal: 'SIGKILL' }),
  });
  if (error !== undefined && error.code !== 'ETIMEDOUT') throw error;
  say(`${stdout}${stderr}`);
  return error === undefined ? (status ?? -1) : undefined;
}

/** An earlier build's seal would deny what the record shall show. */
function takeSealOff(binary) {
  const { status } = spawnSync(process.execPath, [selkie, 'inspect', binary], { cwd: build });
  if (status === 0) run(['unseal', binary, '--in-place']);
}

function record({ binary, record: words }, policy) {
  takeSealOff(binary);
  say(`recording ${[binary, ...words].join(' ')}`);
  const code = run(['record', '-q', '-o', policy, '--', `./${binary}`, ...words], RECORD_SECONDS);
  if (code === 0) return say(readFileSync(policy, 'utf8'));
  const found = code === undefined ? `it did not end within ${RECORD_SECONDS} s` : `exit code ${code}`;
  throw new Refusal(
    `Cannot record "${binary}": ${found}: give it arguments with which it does its work and ends, or commit a policy`,
  );
}

function seal(entry, scratch) {
  const { binary } = entry;
  if (!existsSync(join(build, binary))) {
    throw new Refusal(
      `Cannot seal "${binary}": it is not there; the buildpack that builds it must stand before this one: \`heroku buildpacks\` shows the order`,
    );
  }
  const policy = entry.policy ?? join(scratch, 'recorded.yaml');
  if (entry.record !== undefined) record(entry, policy);
  // A binary that another build sealed is sealed anew from its original.
  if (run(['seal', '-p', policy, binary, '--in-place', '--force']) !== 0) {
    throw new Refusal(
      `Cannot seal "${binary}"${entry.policy === undefined ? '' : ` with "${entry.policy}"`}: see above`,
    );
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'selkie-buildpack-'));
try {
  for (const entry of readPlan(build)) seal(entry, scratch);
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(` !     ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
