import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { scratchFolder, temporaryFolder } from '../support/folders.ts';
import { type App, BUILDPACK, buildExample, compile, DYNO, detect, EXAMPLE, makeApp } from '../support/heroku.ts';
import { ROOT, runCommand, selkie } from '../support/selkie.ts';
import { missingTools } from '../support/tools.ts';

/** The example and other apps, built by the buildpack's scripts as a platform calls them, and started as a dyno starts them. */

const isRoot = process.getuid?.() === 0;
const skip = missingTools('go', 'npm', 'setpriv', 'curl') || (isRoot ? false : 'needs root');
const shared = temporaryFolder();
const cache = join(shared, 'cache');
const settings = { SELKIE_PACKAGE: '' };
const server = join(shared, 'heroku-go');
const GO_FILES = ['confine.go', 'selkie_linux_amd64.go', 'selkie_other.go'];

before(() => {
  if (skip !== false) return;
  mkdirSync(cache);
  const words = ['npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', shared];
  const packed = runCommand(words, { cwd: ROOT });
  assert.equal(packed.status, 0, packed.stderr);
  const built = makeApp(mkdtempSync(join(shared, 'app-')), {}, {}, cache);
  buildExample(built, GO_FILES);
  cpSync(join(built.build, 'bin/heroku-go'), server);
  settings.SELKIE_PACKAGE = join(shared, JSON.parse(packed.stdout)[0].filename);
});

function app(context: TestContext, files: Readonly<Record<string, string>> = {}): App {
  return makeApp(scratchFolder(context), files, settings, cache);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function answer(url: string, child: ChildProcess): Promise<string> {
  for (let tries = 0; tries < 100 && child.exitCode === null; tries += 1) {
    try {
      return await (await fetch(url)).text();
    } catch {
      await sleep(100);
    }
  }
  throw new Error(`no answer of ${url}`);
}

interface Served {
  readonly home: string;
  readonly breakIn: string;
  /** The platform's own included. */
  readonly filters: number;
  readonly status: number | null;
}

/** Starts the example's server as a dyno does: unprivileged, below a filter, with no Node and no Selkie on the PATH; asks it, and ends it. */
async function serve(built: App): Promise<Served> {
  const port = await freePort();
  const command = ['/usr/bin/env', '-i', `PORT=${port}`, join(built.build, 'bin/heroku-go')];
  const [file = '', ...words] = DYNO.wrap(command, built.folder);
  const child = spawn(file, words, { stdio: ['ignore', 'inherit', 'inherit'] });
  try {
    const home = await answer(`http://127.0.0.1:${port}/`, child);
    const breakIn = await answer(`http://127.0.0.1:${port}/break-in`, child);
    const filters = Number(/^Seccomp_filters:\t(\d+)$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
    child.kill('SIGTERM');
    const [status] = await once(child, 'exit');
    return { home, breakIn, filters, status };
  } finally {
    child.kill('SIGKILL');
  }
}

/** What a confined server answers. */
function checkConfined({ breakIn, ...rest }: Served): void {
  assert.match(breakIn, /^ls: .*operation not permitted\n$/);
  assert.deepEqual(rest, { home: 'Hello from a confined server\n', filters: 2, status: 0 });
}

/** Copies the server that was built once, without the Go file. */
function addServer(to: App, name = 'heroku-go'): void {
  mkdirSync(join(to.build, 'bin'), { recursive: true });
  cpSync(server, join(to.build, 'bin', name));
}

const web = (): string => readFileSync(join(EXAMPLE, 'selkie/web.yaml'), 'utf8');

test('the example without Selkie can be broken into', { skip }, async (context) => {
  const built = app(context);
  addServer(built);
  const served = await serve(built);
  assert.match(served.breakIn, /\busr\b/);
  assert.equal(served.filters, 1);
});

test('with the Go file the example confines itself, with no buildpack but Go', { skip }, async (context) => {
  const built = app(context);
  buildExample(built);
  checkConfined(await serve(built));
});

test('the Go file of the example is what convert makes of its policy', { skip }, (context) => {
  const folder = scratchFolder(context);
  cpSync(EXAMPLE, folder, { recursive: true });
  const words = ['convert', 'selkie/web.yaml', '--to', 'go', '--force', '-o', '.'];
  assert.equal(selkie(words, { cwd: folder }).status, 0);
  for (const name of GO_FILES)
    assert.equal(readFileSync(join(folder, name), 'utf8'), readFileSync(join(EXAMPLE, name), 'utf8'), name);
});

test('without it the buildpack seals the binary: first build, second build from the cache alone', {
  skip,
}, async (context) => {
  for (const [line, env] of [
    [/Selkie 0\.1\.0$/m, {}],
    // Nothing answers there.
    [/Selkie 0\.1\.0 from the cache$/m, { npm_config_registry: 'http://127.0.0.1:9/' }],
  ] as const) {
    const built = app(context);
    buildExample(built, GO_FILES);
    const before = readdirSync(built.build, { recursive: true });
    assert.deepEqual(detect(built), { status: 0, signal: null, stdout: 'Selkie\n', stderr: '' });
    const compiled = compile(built, { env });
    assert.equal(compiled.status, 0, compiled.stdout + compiled.stderr);
    assert.equal(compiled.stderr, '');
    assert.match(compiled.stdout, line);
    assert.match(compiled.stdout, /^ {7}sealed bin\/heroku-go → /m);
    for (const text of compiled.stdout.trimEnd().split('\n')) assert.match(text, /^(-----> | {7})\S/);
    assert.deepEqual(readdirSync(built.build, { recursive: true }), before, 'the slug has no Selkie and no Node');
    checkConfined(await serve(built));
  }
  const release = runCommand([join(BUILDPACK, 'bin/release'), shared]);
  assert.deepEqual([release.status, release.stdout], [0, '--- {}\n']);
});

test('the version that the buildpack installs is this one', () => {
  const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const script = readFileSync(join(BUILDPACK, 'lib/install.sh'), 'utf8');
  assert.match(script, new RegExp(`^SELKIE_PACKAGE=${name}@${version.replaceAll('.', '\\.')}$`, 'm'));
});

test('it is for apps with selkie.json, or with policies beside a Procfile', (context) => {
  const rows: readonly (readonly [number, Readonly<Record<string, string>>])[] = [
    [1, {}],
    [1, { Procfile: 'web: bin/web\n' }],
    [1, { 'selkie/web.yaml': '' }],
    [0, { Procfile: 'web: bin/web\n', 'selkie/web.yaml': '' }],
    [0, { 'selkie.json': '{}' }],
  ];
  for (const [status, files] of rows) assert.equal(detect(app(context, files)).status, status, JSON.stringify(files));
});

test('process types with policies are sealed, others are not; assignments, arguments and the PATH of a dyno are understood', {
  skip,
}, (context) => {
  const Procfile = `web: exec env GOGC=50 bin/heroku-go -flag x
worker: worker --queue "a b" $PORT
# a comment
clock: bin/clock
release: ./migrate.sh && bin/clock
`;
  const policies = { 'selkie/web.yaml': web(), 'selkie/worker.yaml': web() };
  const built = app(context, { Procfile, ...policies });
  for (const name of ['heroku-go', 'worker', 'clock']) addServer(built, name);
  const compiled = compile(built);
  assert.equal(compiled.status, 0, compiled.stdout + compiled.stderr);
  const isSealed = (name: string): boolean => selkie(['inspect', join(built.build, 'bin', name)]).status === 0;
  assert.deepEqual(['heroku-go', 'worker', 'clock'].map(isSealed), [true, true, false]);
});

test('selkie.json names binaries with a policy, or records them while it builds; sealed ones are sealed anew', {
  skip: skip || missingTools('gcc'),
}, (context) => {
  const seal = { '/app/bin/heroku-go': 'web.yaml', 'bin/uname': { record: ['a', 'b'] } };
  const built = app(context, { 'selkie.json': JSON.stringify({ seal }), 'web.yaml': web(), 'uname.c': UNAME });
  addServer(built);
  const uname = join(built.build, 'bin/uname');
  assert.equal(runCommand(['gcc', '-static', '-o', uname, join(built.build, 'uname.c')]).status, 0);
  for (let round = 0; round < 2; round += 1) {
    const compiled = compile(built);
    assert.equal(compiled.status, 0, compiled.stdout + compiled.stderr);
    assert.match(compiled.stdout, /^ {7}recording bin\/uname a b$/m);
  }
  const policy = selkie(['inspect', '--policy', uname]).stdout;
  assert.match(policy, /- uname$/m);
  assert.doesNotMatch(policy, /- (seccomp|prctl)$/m);
  const inDyno = (...words: readonly string[]): number | null =>
    runCommand(DYNO.wrap([uname, ...words], built.folder)).status;
  assert.deepEqual([inDyno('a', 'b'), inDyno('a', 'b', 'socket')], [0, 1]);
});

/** Calls uname(2); with a third argument it tries socket(2) and ends with the errno. */
const UNAME = `#include <errno.h>
#include <sys/socket.h>
#include <sys/utsname.h>
int main(int argc, char **argv) {
  struct utsname name;
  if (argc > 3) return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
  return uname(&name) ? 9 : 0;
}
`;

const json = (seal: unknown): Readonly<Record<string, string>> => ({ 'selkie.json': JSON.stringify({ seal }) });
const TWO = 'web: bin/heroku-go\nworker: bin/heroku-go --work\n';
/** What an app has, and the line that says what is wrong with it. */
const REFUSED: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ['selkie.json that is no JSON', { 'selkie.json': '{ "seal": ' }, /Cannot read "selkie\.json": it is no JSON: .*/],
  ['selkie.json without seal', { 'selkie.json': '{ "bin/web": "x" }' }, /"selkie\.json": wanted \{ "seal": /],
  ['selkie.json that is null', { 'selkie.json': 'null' }, /"selkie\.json": wanted \{ "seal": /],
  ['nothing to seal', json({}), /"selkie\.json": wanted \{ "seal": /],
  ['neither policy nor record', json({ 'bin/heroku-go': 7 }), /"bin\/heroku-go" is 7, wanted a policy's path, or /],
  ['a path outside of the app', json({ '../etc/x': 'web.yaml' }), /Cannot seal "\.\.\/etc\/x": wanted a path inside/],
  ['an absolute path', json({ '/bin/ls': 'web.yaml' }), /Cannot seal "\/bin\/ls": wanted a path inside/],
  [
    'a policy that is not there',
    json({ 'bin/heroku-go': 'x.yaml' }),
    /its policy "x\.yaml" is not in the app: make it by/,
  ],
  [
    'a binary that is not there',
    { ...json({ 'bin/web': 'web.yaml' }), 'web.yaml': '' },
    /Cannot seal "bin\/web": it is not there; the buildpack that builds it must stand before/,
  ],
  [
    'a policy for another ABI',
    {
      ...json({ 'bin/heroku-go': 'arm.yaml' }),
      'arm.yaml': 'selkie: 1\nsets: 1\narches: [aarch64]\ndefault: allow\nsyscalls: { errno(EPERM): [socket] }\n',
    },
    /this policy is for aarch64, what it shall confine is x86_64/,
  ],
  [
    'a policy with a wrong name in it',
    {
      ...json({ 'bin/heroku-go': 'w.yaml' }),
      'w.yaml': 'selkie: 1\nsets: 1\ndefault: errno(EPERM)\nsyscalls:\n  allow: [opnat]\n',
    },
    /did you mean/,
  ],
  [
    'a script',
    {
      ...json({ 'start.sh': 'w.yaml' }),
      'start.sh': '#!/bin/sh\n',
      'w.yaml': 'selkie: 1\nsets: 1\ndefault: allow\nsyscalls: { errno(EPERM): [socket] }\n',
    },
    /this is a script that "\/bin\/sh" runs/,
  ],
  [
    'a policy for no process type',
    { Procfile: TWO, 'selkie/wbe.yaml': '' },
    /Cannot use "selkie\/wbe\.yaml": the Procfile has no process type "wbe", only web, worker/,
  ],
  [
    'one binary for two process types, one policy',
    { Procfile: TWO, 'selkie/web.yaml': '' },
    /a binary holds one policy, and web, worker run this one: `selkie merge selkie\/web\.yaml selkie\/worker\.yaml -o/,
  ],
  [
    'one binary for two process types, two policies',
    { Procfile: TWO, 'selkie/web.yaml': '', 'selkie/worker.yaml': '' },
    /Cannot seal "bin\/heroku-go" for web, worker: a binary holds one policy/,
  ],
  [
    'a command that a shell must understand',
    { Procfile: 'web: $(cat command)\n', 'selkie/web.yaml': '' },
    /Cannot tell which binary the process type "web" runs: "\$\(cat command\)": name it in selkie\.json/,
  ],
  [
    'a program that fails while it is recorded',
    json({ 'bin/false': { record: [] } }),
    /Cannot record "bin\/false": exit code 1: give it arguments/,
  ],
];

for (const [title, files, line] of REFUSED)
  test(`refused: ${title}`, { skip }, (context) => {
    const built = app(context, files);
    addServer(built);
    cpSync('/bin/false', join(built.build, 'bin/false'));
    const before = readFileSync(join(built.build, 'bin/heroku-go'));
    const { status, stdout, stderr } = compile(built);
    assert.equal(status, 1, stdout);
    assert.match(stdout + stderr, line);
    assert.match(stderr, /^ ! {5}Cannot .*\n$/);
    assert.ok(readFileSync(join(built.build, 'bin/heroku-go')).equals(before));
  });

/** What nodejs.org serves, made of this machine's Node: an archive, and its sum. */
function makeMirror(folder: string, version: string): string {
  const name = `node-v${version}-linux-x64`;
  const release = join(folder, `v${version}`);
  const bin = join(release, name, 'bin');
  mkdirSync(bin, { recursive: true });
  const npm = realpathSync(runCommand(['sh', '-c', 'command -v npm']).stdout.trim());
  writeFileSync(join(bin, 'node'), `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\nexec ${process.execPath} ${npm} "$@"\n`, { mode: 0o755 });
  runCommand(['tar', '-czf', `${name}.tar.gz`, name], { cwd: release });
  const sum = runCommand(['sha256sum', `${name}.tar.gz`], { cwd: release }).stdout;
  writeFileSync(join(release, 'SHASUMS256.txt'), `${'0'.repeat(64)}  node-v${version}-linux-arm64.tar.gz\n${sum}`);
  return join(release, `${name}.tar.gz`);
}

const TOOLS = 'bash sh env cat grep sed mktemp mkdir rm mv tar gzip curl sha256sum dirname ls setpriv'.split(' ');

/** A stack without Node: folder for PATH. */
function toolsWithoutNode(folder: string): string {
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  for (const name of TOOLS)
    symlinkSync(runCommand(['sh', '-c', `command -v ${name}`]).stdout.trim(), join(tools, name));
  return tools;
}

test('a stack without Node gets one, once, and none with a wrong sum', { skip }, (context) => {
  const folder = scratchFolder(context);
  const script = readFileSync(join(BUILDPACK, 'lib/install.sh'), 'utf8');
  const version = /^NODE_VERSION=(\S+)$/m.exec(script)?.[1] ?? '';
  const archive = makeMirror(folder, version);
  const env = { PATH: toolsWithoutNode(folder) };
  const own = join(folder, 'cache');
  mkdirSync(own);
  const mirrored = { ...settings, NODE_MIRROR: `file://${folder}` };
  const built = makeApp(
    join(scratchFolder(context)),
    { ...json({ 'bin/heroku-go': 'web.yaml' }), 'web.yaml': web() },
    mirrored,
    own,
  );
  addServer(built);
  const good = readFileSync(archive);
  writeFileSync(archive, Buffer.concat([good, Buffer.from('x')]));
  const refused = compile(built, { env });
  assert.deepEqual(
    [refused.status, readdirSync(join(own, 'selkie')).some((name) => /^node-\d/.test(name))],
    [1, false],
  );
  assert.match(refused.stderr, /^ ! {5}Cannot use the Node that was downloaded: its SHA-256 is not that of/m);
  writeFileSync(archive, good);
  assert.match(compile(built, { env }).stdout, new RegExp(`^ {7}Node v${version}, downloaded$`, 'm'));
  rmSync(archive);
  const again = compile(built, { env });
  assert.equal(again.status, 0, again.stderr);
  assert.match(again.stdout, new RegExp(`^ {7}Node v${version} from the cache$`, 'm'));
  rmSync(join(own, 'selkie'), { recursive: true });
  assert.match(compile(built, { env }).stderr, /^ ! {5}Cannot download Node: found no "node-v.*" with its SHASUMS256/m);
});

test('refused: a Selkie that npm cannot install; the next build gets it', { skip }, (context) => {
  const own = scratchFolder(context);
  const built = makeApp(scratchFolder(context), json({ 'bin/x': 'y' }), { SELKIE_PACKAGE: join(own, 'no.tgz') }, own);
  const { status, stderr } = compile(built);
  assert.equal(status, 1);
  assert.match(stderr, /^ ! {5}Cannot install "\/.*no\.tgz" by npm: see above; the config var SELKIE_PACKAGE names/);
  writeFileSync(join(built.env, 'SELKIE_PACKAGE'), settings.SELKIE_PACKAGE);
  assert.match(compile(built).stdout, /^ {7}Selkie 0\.1\.0$/m);
});
