import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { scratchFolder } from '../support/folders.ts';
import { type Finished, ROOT, type RunOptions, runCommand } from '../support/selkie.ts';

/** Runs a module that has `confine`, and `made`: what mkdir says, here and in a worker. */
function confined(folder: string, code: string, options: RunOptions = {}): Finished {
  const script = join(folder, 'main.mjs');
  const make = `import { mkdirSync } from 'node:fs';
    import { Worker } from 'node:worker_threads';
    const made = (name) => { try { mkdirSync(name); return 'made'; } catch ({ code }) { return code; } };
    const inWorker = (worker, name) => new Promise((resolve) => { worker.once('message', resolve); worker.postMessage(name); });
    const WORKER = "const { parentPort } = require('node:worker_threads'); const { mkdirSync } = require('node:fs'); parentPort.on('message', (name) => { try { mkdirSync(name); parentPort.postMessage('made'); } catch ({ code }) { parentPort.postMessage(code); } });";\n`;
  writeFileSync(script, `import { confine } from '${ROOT}build/src/confine.js';\n${make}${code}`);
  return runCommand([process.execPath, script], { cwd: folder, ...options });
}

for (const nobody of [false, true])
  test(`narrow puts service: in force on all threads: what start-up alone needs is refused${nobody ? ', as uid 65534' : ''}`, (context) => {
    const folder = nobody ? '/tmp' : scratchFolder(context);
    const name = `narrow-${process.pid}-${nobody}`;
    const code = `const { narrow } = confine({ allow: ['@stdio', '@files', '@read', '@dirs'], service: ['@stdio', 'rmdir'] });
      import { rmdirSync } from 'node:fs';
      const worker = new Worker(WORKER, { eval: true });
      console.log(made('${name}-a'), await inWorker(worker, '${name}-b'));
      const { threads, program } = narrow();
      console.log(threads > 4, program.length > 10, made('${name}-c'), await inWorker(worker, '${name}-d'));
      const later = new Worker(WORKER, { eval: true });
      console.log(await inWorker(later, '${name}-e'));
      rmdirSync('${name}-a'); rmdirSync('${name}-b');
      try { narrow(); } catch ({ code }) { console.log(code); }
      try { confine({ allow: ['mkdir'] }); } catch ({ name }) { console.log(name); }
      process.exit(0);`;
    const { status, stdout, stderr } = confined(folder, code, { nobody });
    const wanted = 'made made\ntrue true EPERM EPERM\nEPERM\nalready_narrowed\nSyscallError\n';
    assert.deepEqual([status, stdout], [0, wanted], stderr);
  });

test('a policy file with service: is narrowed too; @fallback stays ENOSYS; one without it says so', (context) => {
  const folder = scratchFolder(context);
  const head = 'selkie: 1\nsets: 1\narches: [x86_64]\ndefault: errno(EACCES)\nsyscalls:\n  allow: ["@stdio", mkdir]\n';
  writeFileSync(join(folder, 'p.yaml'), `${head}service:\n  allow: ["@stdio"]\n`);
  writeFileSync(join(folder, 'none.yaml'), head);
  const code = `const { narrow } = confine(process.argv[2] ?? 'p.yaml');
    console.log(made('a'));
    try { narrow(); } catch ({ code }) { console.log(code); }
    console.log(made('b'));`;
  const narrowed = confined(folder, code);
  assert.deepEqual([narrowed.status, narrowed.stdout], [0, 'made\nEACCES\n'], narrowed.stderr);
  const without = confined(folder, code.replace("'p.yaml'", "'none.yaml'").replace("made('a')", "made('c')"));
  assert.equal(without.stdout, 'made\nno_service\nmade\n', without.stderr);
});

test('a service that permits what syscalls refuse is refused with a call, before anything is in force', (context) => {
  const code = `try { confine({ allow: ['read', 'socket: domain == AF_UNIX'], service: ['read', 'socket'] }); }
    catch ({ code, message }) { console.log(code, message); }
    console.log(made('a'));`;
  const { stdout, stderr } = confined(scratchFolder(context), code);
  assert.match(stdout, /^wider_service service permits socket\(.*\), which syscalls refuse: .*\nmade\n$/, stderr);
});

const READY = `import { mkdirSync } from 'node:fs';
  import { createServer } from 'node:net';
  const made = (name) => { try { mkdirSync(name); return 'made'; } catch ({ code }) { return code; } };
  const seen = [made('a')];
  process.on('SIGUSR2', () => { seen.push(made('b')); console.log(seen.join()); process.exit(0); });
  const server = createServer().listen('./socket', () => { seen.push(made('c')); process.kill(process.pid, 'SIGUSR2'); });
  seen.push(made('d'));\n`;

for (const [ready, wanted] of [
  [undefined, 'made,made,EPERM,EPERM'],
  ['listen', 'made,made,EPERM,EPERM'],
  ['signal:USR2', 'made,made,made,EPERM'],
] as const)
  test(`selkie/register narrows when ready: ${ready ?? 'by default when it listens'}`, (context) => {
    for (const by of ['environment', 'package'] as const) {
      const folder = scratchFolder(context);
      const policy = `selkie: 1\nsets: 1\ndefault: errno(EPERM)\nsyscalls:\n  allow: ["@stdio", "@network", mkdir, kill, unlink]\nservice:\n  allow: ["@stdio", kill, unlink]\n`;
      writeFileSync(join(folder, 'p.yaml'), policy);
      writeFileSync(join(folder, 'app.mjs'), READY);
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ selkie: { policy: 'p.yaml', ready } }));
      const env = by === 'package' ? {} : { SELKIE_POLICY: 'p.yaml', ...(ready && { SELKIE_READY: ready }) };
      const words = [process.execPath, '--import', join(ROOT, 'dist/lib/register.js'), 'app.mjs'];
      const { status, stdout, stderr } = runCommand(words, { cwd: folder, env: { ...process.env, ...env } });
      assert.deepEqual([status, stdout.trim()], [0, wanted], `${by}: ${stderr}`);
    }
  });

test('selkie/register refuses a ready that it does not know: the program does not run', (context) => {
  const folder = scratchFolder(context);
  writeFileSync(join(folder, 'p.yaml'), 'selkie: 1\ndefault: errno(EPERM)\nsyscalls: {}\nservice: {}\n');
  writeFileSync(join(folder, 'app.mjs'), 'console.log(1);');
  const env = { ...process.env, SELKIE_POLICY: 'p.yaml', SELKIE_READY: 'signal:KILL' };
  const words = [process.execPath, '--import', join(ROOT, 'dist/lib/register.js'), 'app.mjs'];
  const { status, stdout, stderr } = runCommand(words, { cwd: folder, env });
  assert.deepEqual([status, stdout], [125, ''], stderr);
  assert.match(stderr, /wanted listen or signal:NAME/);
});
