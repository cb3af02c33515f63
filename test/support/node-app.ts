import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, runCommand } from './selkie.ts';

/** The application suite of test/programs/node-app, run confined by one Node. */

const MAIN = join(ROOT, 'test/programs/node-app/main.mjs');
const CONFINE = join(ROOT, 'build/src/confine.js');
/** Exit code or signal of each end. */
const ENDS: Readonly<Record<string, number | string>> = {
  return: 0,
  exit: 3,
  code: 4,
  throw: 1,
  reject: 1,
  'exit in a handler': 5,
  'exit with work in the pool': 6,
  'exit with busy workers': 7,
  abort: 'SIGABRT',
  'a signal to oneself': 'SIGTERM',
};

/** @throws AssertionError where a case fails */
export function checkSuite(node: string, folder: string): void {
  const { status, stdout, stderr } = runCommand([node, MAIN, CONFINE, 'suite'], { env: environment(folder) });
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { count: 40, failures: {} });
}

/** @throws AssertionError where the process ends otherwise than unconfined */
export function checkEnds(node: string, folder: string): void {
  for (const [word, expected] of Object.entries(ENDS)) {
    const { status, signal, stderr } = runCommand([node, MAIN, CONFINE, 'end', word], {
      env: environment(folder),
      timeout: 30_000,
    });
    assert.equal(status ?? signal, expected, `${word}: ${stderr}`);
  }
}

function environment(folder: string): Record<string, string | undefined> {
  const request = 'req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost';
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  const made = runCommand(['openssl', ...request.split(' '), '-keyout', key, '-out', cert]);
  assert.equal(made.status, 0, made.stderr);
  const text = (path: string): string => readFileSync(path, 'utf8');
  return { ...process.env, TMPDIR: folder, APP_KEY: text(key), APP_CERT: text(cert) };
}
