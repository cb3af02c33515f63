import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { checkEscapes } from '../support/escapes.ts';
import { scratchFolder } from '../support/folders.ts';
import { type Finished, ROOT, type RunOptions, runCommand, selkie } from '../support/selkie.ts';

const POLICY = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EPERM)\nsyscalls:\n  allow:\n    - "@stdio"\n';
const SPAWN = "import { spawnSync } from 'node:child_process';\n";
const CHILD = "spawnSync('/bin/true').error?.code";

/** Runs a module that has `confine`. */
function confined(folder: string, code: string, options: RunOptions = {}): Finished {
  const script = join(folder, 'main.mjs');
  writeFileSync(script, `${SPAWN}import { confine } from '${ROOT}build/src/confine.js';\n${code}`);
  return runCommand([process.execPath, script], { cwd: folder, ...options });
}

for (const nobody of [false, true])
  test(`confine takes all threads, and children are refused${nobody ? ', as uid 65534' : ''}`, (context) => {
    const code = `const { threads, program } = confine({ allow: ['@stdio'] });
      console.log(threads > 4, program.length > 10, ${CHILD});`;
    const { status, stdout, stderr } = confined(scratchFolder(context), code, { nobody });
    assert.deepEqual([status, stdout], [0, 'true true EPERM\n'], stderr);
  });

test('a second confine narrows, and never widens', (context) => {
  const code = `import { mkdirSync } from 'node:fs';
    const make = (name) => { try { mkdirSync(name); return 'made'; } catch ({ code }) { return code; } };
    confine({ allow: ['@stdio', 'mkdir', 'mkdirat'] });
    console.log(make('a'));
    confine({ allow: ['@stdio', 'rmdir'] });
    console.log(make('b'));
    confine({ allow: ['@stdio', 'mkdir', 'mkdirat'] });
    console.log(make('c'));`;
  const { status, stdout, stderr } = confined(scratchFolder(context), code);
  assert.deepEqual([status, stdout], [0, 'made\nEPERM\nEPERM\n'], stderr);
});

test('rules may have conditions, denials, another default, and be printed', (context) => {
  const code = `import { mkdirSync } from 'node:fs';
    import { createServer } from 'node:net';
    confine({ allow: ['@stdio', '@network', 'socket: domain == AF_UNIX'], deny: ['listen', 'socket'], default: 'errno(EACCES)', print: true });
    createServer().on('error', ({ code }) => console.log(code)).listen(0, '127.0.0.1');
    createServer().on('error', ({ code }) => console.log(code)).listen('./socket');
    try { mkdirSync('a'); } catch ({ code }) { console.log(code); }`;
  const { status, stdout, stderr } = confined(scratchFolder(context), code);
  assert.equal(status, 0, stderr);
  assert.deepEqual(stdout.trim().split('\n').sort(), ['EACCES', 'EPERM', 'EPERM']);
  assert.match(stderr, /^\[\+\] socket: domain == AF_UNIX$/m);
});

test('what cannot be confined is refused with a typed error, and the process is as before', (context) => {
  const folder = scratchFolder(context);
  writeFileSync(join(folder, 'bad.yaml'), POLICY.replace('"@stdio"', 'reed'));
  writeFileSync(join(folder, 'notify.yaml'), `${POLICY}  notify:\n    - socket\n`);
  writeFileSync(join(folder, 'arm.yaml'), POLICY.replace('x86_64', 'aarch64'));
  const code = `for (const source of ['bad.yaml', 'none.yaml', 'notify.yaml', 'arm.yaml', { allow: ['reed'] }, {}, 5])
      try { confine(source); console.log('confined'); } catch (error) { console.log(error.name, error.code); }
    console.log(${CHILD});`;
  const { status, stdout, stderr } = confined(folder, code);
  assert.equal(status, 0, stderr);
  assert.deepEqual(stdout.trim().split('\n'), [
    'PolicyError unknown_call',
    'UsageError cannot_read',
    'PolicyError not_enforceable',
    'PolicyError wrong_arch',
    'PolicyError unknown_call',
    'TypeError undefined',
    'TypeError undefined',
    'undefined',
  ]);
});

test('the floor of Node is for its own ABI: rules of only: for another stay as they are', (context) => {
  const folder = scratchFolder(context);
  const text = `${POLICY.replace('[x86_64]', '[x86_64, i386]')}only:\n  i386:\n    errno(ENOSYS):\n      - clone: flags != 0\n`;
  writeFileSync(join(folder, 'policy.yaml'), `${text}    allow:\n      - bind\n`);
  const { status, stdout, stderr } = confined(
    folder,
    `confine('policy.yaml', { print: true }); console.log(${CHILD});`,
  );
  assert.deepEqual([status, stdout], [0, 'EPERM\n'], stderr);
  assert.match(stderr, /^\[\+\] bind \(i386 only\)$/m);
  assert.match(stderr, /^\[\+\] futex \(x86_64 only\)$/m);
});

test('twenty ways out are refused', (context) => checkEscapes(process.execPath, scratchFolder(context)));

test('CommonJS and ESM programs confine themselves by the package', (context) => {
  const folder = scratchFolder(context);
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/selkie'));
  writeFileSync(join(folder, 'policy.yaml'), POLICY);
  const body = `confine('policy.yaml');\nconsole.log(${CHILD});\n`;
  writeFileSync(join(folder, 'a.mjs'), `${SPAWN}import { confine } from 'selkie';\n${body}`);
  const requires = "const { spawnSync } = require('node:child_process');\nconst { confine } = require('selkie');\n";
  writeFileSync(join(folder, 'b.cjs'), requires + body);
  for (const file of ['a.mjs', 'b.cjs']) {
    const { status, stdout, stderr } = runCommand([process.execPath, file], { cwd: folder });
    assert.deepEqual([status, stdout], [0, 'EPERM\n'], stderr);
  }
});

test('a TypeScript program that confines itself passes the compiler, and wrong options do not', (context) => {
  const folder = scratchFolder(context);
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
  symlinkSync(ROOT, join(folder, 'node_modules/selkie'));
  symlinkSync(join(ROOT, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
  const check = (code: string): Finished => {
    writeFileSync(join(folder, 'main.mts'), `import { type Confinement, confine } from 'selkie';\n${code}`);
    return runCommand([join(ROOT, 'node_modules/.bin/tsc'), ...options, 'main.mts'], { cwd: folder });
  };
  const right = check(
    "const { threads }: Confinement = confine({ allow: ['@stdio'], print: true });\nthreads.toFixed();",
  );
  assert.equal(right.status, 0, right.stdout);
  assert.match(check("confine({ alow: ['@stdio'] });").stdout, /alow/);
});

test('selkie/register confines by SELKIE_POLICY, else by package.json, and else the program does not run', (context) => {
  const folder = scratchFolder(context);
  writeFileSync(join(folder, 'p.yaml'), POLICY);
  writeFileSync(join(folder, 'app.mjs'), `${SPAWN}console.log(${CHILD});\n`);
  const app = (environment: Record<string, string> = {}): Finished =>
    runCommand([process.execPath, '--import', join(ROOT, 'dist/lib/register.js'), 'app.mjs'], {
      cwd: folder,
      env: { ...process.env, ...environment },
    });
  const none = app();
  assert.deepEqual([none.status, none.stdout], [125, '']);
  assert.match(none.stderr, /^selkie: .*SELKIE_POLICY/);
  const missing = app({ SELKIE_POLICY: 'none.yaml' });
  assert.deepEqual([missing.status, missing.stdout], [125, '']);
  assert.deepEqual([app({ SELKIE_POLICY: 'p.yaml' }).status, app({ SELKIE_POLICY: 'p.yaml' }).stdout], [0, 'EPERM\n']);
  writeFileSync(join(folder, 'package.json'), '{ "selkie": { "policy": "p.yaml" } }');
  assert.equal(app().stdout, 'EPERM\n');
  writeFileSync(join(folder, 'package.json'), '{ "selkie": {} }');
  assert.deepEqual([app().status, app().stdout], [125, '']);
});

test('record knows Node and adds its floor', (context) => {
  const folder = scratchFolder(context);
  const recorded = selkie(['record', '--json', '-o', 'p.yaml', process.execPath, '-e', 'setTimeout(() => {}, 5)'], {
    cwd: folder,
  });
  assert.equal(recorded.status, 0, recorded.stderr);
  assert.match(selkie(['sets', '@node'], { cwd: folder }).stdout, /epoll_pwait/);
  const ran = selkie(['run', '-p', 'p.yaml', process.execPath, '-p', '6 * 7'], { cwd: folder });
  assert.deepEqual([ran.status, ran.stdout], [0, '42\n'], ran.stderr);
});

/** Node's pool makes the second of these: a thread that was there before. */
const PATHS = `import { readFileSync } from 'node:fs';
  import { readFile } from 'node:fs/promises';
  import { landlockAbi } from '${ROOT}build/src/kernel/landlock.js';
  await readFile('/etc/passwd');
  const abi = landlockAbi();
  let said = 'confined';
  try { confine('paths.yaml'); } catch (error) { said = error.code + ': ' + error.message; }
  const tried = [];
  try { readFileSync('/etc/passwd'); tried.push('read'); } catch ({ code }) { tried.push(code); }
  await readFile('/etc/passwd').then(() => tried.push('read'), ({ code }) => tried.push(code));
  console.log([abi, said, ...tried].join('|'));`;

for (const nobody of [false, true])
  test(`paths: all threads at once, or refused where the kernel cannot${nobody ? ', as uid 65534' : ''}`, (context) => {
    const folder = scratchFolder(context);
    const policy = POLICY.replace('"@stdio"', '"@stdio"\n    - "@files"');
    writeFileSync(join(folder, 'paths.yaml'), `${policy}paths:\n  read: [/usr, ${folder}]\n`);
    const { stdout, stderr } = confined(folder, PATHS, { nobody });
    const [abi, said, ...tried] = stdout.trim().split('|');
    if (Number(abi) >= 8) assert.deepEqual([said, ...tried], ['confined', 'EACCES', 'EACCES'], stderr);
    else {
      assert.deepEqual(tried, ['read', 'read'], stderr);
      const problem = `this kernel's Landlock (ABI ${abi}) restricts one thread at a time, and Node has several`;
      assert.ok(said?.includes(`${problem}: selkie run, selkie launcher and selkie seal`), said);
    }
  });
