// What applications do, forty small cases: each throws or rejects where something does not work. `ends` are ends of the process.
import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import dgram from 'node:dgram';
import dns from 'node:dns';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import readline from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { promisify } from 'node:util';
import vm from 'node:vm';
import { MessageChannel, Worker } from 'node:worker_threads';
import zlib from 'node:zlib';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'selkie-node-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
const path = (name) => join(folder, name);
const credentials = { key: process.env.APP_KEY, cert: process.env.APP_CERT, ca: process.env.APP_CERT };
const worker = async (code, options = {}) => once(new Worker(code, { eval: true, ...options }), 'message');

async function listening(server, ...address) {
  server.listen(...(address.length > 0 ? address : [0, '127.0.0.1']));
  await once(server, 'listening');
  return server.address().port;
}

async function body(response) {
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

export const cases = {
  'fs: write, read and stat at once': () => {
    fs.writeFileSync(path('a'), 'text');
    assert.equal(fs.readFileSync(path('a'), 'utf8'), 'text');
    assert.equal(fs.statSync(path('a')).size, 4);
  },
  'fs: promises': async () => {
    await fsp.writeFile(path('b'), 'text');
    await fsp.appendFile(path('b'), ' more');
    assert.equal(await fsp.readFile(path('b'), 'utf8'), 'text more');
  },
  'fs: streams': async () => {
    await pipeline(Readable.from(['x'.repeat(200_000)]), fs.createWriteStream(path('c')));
    let size = 0;
    for await (const chunk of fs.createReadStream(path('c'))) size += chunk.length;
    assert.equal(size, 200_000);
  },
  'fs: folders': async () => {
    await fsp.mkdir(path('d/e/f'), { recursive: true });
    assert.deepEqual(await fsp.readdir(path('d')), ['e']);
    await fsp.rm(path('d'), { recursive: true });
  },
  'fs: copy, rename, link, unlink': async () => {
    await fsp.writeFile(path('g'), 'text');
    await fsp.copyFile(path('g'), path('h'));
    fs.copyFileSync(path('g'), path('h2'));
    await fsp.rename(path('h'), path('i'));
    await fsp.symlink(path('i'), path('j'));
    assert.equal(await fsp.realpath(path('j')), path('i'));
    await fsp.unlink(path('j'));
    assert.equal(await fsp.readFile(path('i'), 'utf8'), 'text');
  },
  'fs: handles': async () => {
    const file = await fsp.open(path('k'), 'w+');
    await file.write('0123456789', 0);
    await file.truncate(5);
    await file.datasync();
    const { buffer } = await file.read(Buffer.alloc(3), 0, 3, 1);
    assert.equal(String(buffer), '123');
    await file.close();
  },
  'fs: modes and times': async () => {
    await fsp.writeFile(path('l'), '');
    await fsp.chmod(path('l'), 0o600);
    await fsp.utimes(path('l'), 10, 20);
    const { mode, mtimeMs } = await fsp.stat(path('l'));
    assert.deepEqual([mode & 0o777, mtimeMs], [0o600, 20_000]);
  },
  'fs: watch': async () => {
    const watcher = fs.watch(folder);
    setTimeout(() => fs.writeFileSync(path('watched'), ''), 20);
    await once(watcher, 'change');
    watcher.close();
  },
  'net: TCP': async () => {
    const server = net.createServer((socket) => socket.end('hello'));
    const port = await listening(server);
    assert.equal(await body(net.connect(port, '127.0.0.1')), 'hello');
    server.close();
  },
  'net: UNIX socket': async () => {
    const server = net.createServer((socket) => socket.pipe(socket));
    await listening(server, path('socket'));
    const socket = net.connect(path('socket'));
    socket.end('echo');
    assert.equal(await body(socket), 'echo');
    server.close();
  },
  'net: a refused connection': async () => {
    const server = net.createServer();
    const port = await listening(server);
    server.close();
    await once(server, 'close');
    const [error] = await once(net.connect(port, '127.0.0.1'), 'error').catch((thrown) => [thrown]);
    assert.equal(error.code, 'ECONNREFUSED');
  },
  'net: timeouts and options': async () => {
    const server = net.createServer((socket) => socket.setNoDelay(true).setKeepAlive(true, 1000));
    const port = await listening(server);
    const socket = net.connect(port, '127.0.0.1');
    socket.setTimeout(30);
    await once(socket, 'timeout');
    socket.destroy();
    server.close();
  },
  'dgram: UDP': async () => {
    const receiver = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(receiver, 'listening');
    const sender = dgram.createSocket('udp4');
    sender.send('datagram', receiver.address().port, '127.0.0.1');
    const [message] = await once(receiver, 'message');
    assert.equal(String(message), 'datagram');
    sender.close();
    receiver.close();
  },
  'http: server, client, keep-alive': async () => {
    const server = http.createServer((request, response) => request.pipe(response));
    const port = await listening(server);
    const agent = new http.Agent({ keepAlive: true });
    for (const text of ['one', 'two']) {
      const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent }).end(text);
      const [response] = await once(request, 'response');
      assert.equal(await body(response), text);
    }
    agent.destroy();
    server.close();
  },
  'http: fetch': async () => {
    const server = http.createServer((_, response) => response.end('{"a":1}'));
    const port = await listening(server);
    const response = await fetch(`http://127.0.0.1:${port}`);
    assert.deepEqual(await response.json(), { a: 1 });
    server.closeAllConnections();
    server.close();
  },
  'http: chunks and compression': async () => {
    const server = http.createServer((_, response) => {
      response.setHeader('content-encoding', 'gzip');
      pipeline(Readable.from(['y'.repeat(100_000)]), zlib.createGzip(), response);
    });
    const port = await listening(server);
    const [response] = await once(http.get({ port, host: '127.0.0.1' }), 'response');
    assert.equal((await body(response.pipe(zlib.createGunzip()))).length, 100_000);
    server.close();
  },
  'http: 200 requests at a time': async () => {
    const server = http.createServer((_, response) => response.end('ok'));
    const port = await listening(server);
    const get = async () => body((await once(http.get({ port, host: '127.0.0.1', agent: false }), 'response'))[0]);
    assert.equal((await Promise.all(Array.from({ length: 200 }, get))).join(''), 'ok'.repeat(200));
    server.close();
  },
  'http2: over TLS': async () => {
    const server = http2.createSecureServer(credentials, (_, response) => response.end('two'));
    const port = await listening(server);
    const session = http2.connect(`https://localhost:${port}`, { ...credentials, lookup: local });
    assert.equal(await body(session.request({ ':path': '/' })), 'two');
    session.close();
    server.close();
  },
  'https: server and client': async () => {
    const server = https.createServer(credentials, (_, response) => response.end('secret'));
    const port = await listening(server);
    const request = https.get({ port, host: '127.0.0.1', servername: 'localhost', ca: credentials.ca, agent: false });
    const [response] = await once(request, 'response');
    assert.equal(await body(response), 'secret');
    server.close();
  },
  'tls: sockets': async () => {
    const server = tls.createServer(credentials, (socket) => socket.end('hello'));
    const port = await listening(server);
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: credentials.ca });
    assert.equal(await body(socket), 'hello');
    server.close();
  },
  'dns: lookup': async () => {
    const { address } = await dns.promises.lookup('localhost', { family: 4 });
    assert.equal(address, '127.0.0.1');
  },
  'dns: resolver': async () => {
    const server = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    server.on('message', (message, { port }) => {
      const answer = Buffer.concat([message, Buffer.from('c00c000100010000003c000401020304', 'hex')]);
      answer.writeUInt16BE(0x8180, 2);
      answer.writeUInt16BE(1, 6);
      answer.writeUInt16BE(0, 10);
      const question = message.subarray(12, message.indexOf(0, 12) + 5);
      const head = Buffer.from(answer.subarray(0, 12));
      server.send(Buffer.concat([head, question, Buffer.from('c00c000100010000003c000401020304', 'hex')]), port);
    });
    const resolver = new dns.promises.Resolver({ timeout: 2000, tries: 2 });
    resolver.setServers([`127.0.0.1:${server.address().port}`]);
    assert.deepEqual(await resolver.resolve4('selkie.example'), ['1.2.3.4']);
    server.close();
  },
  'crypto: hashes, HMAC, random': () => {
    assert.equal(crypto.createHash('sha256').update('').digest('hex').slice(0, 8), 'e3b0c442');
    assert.equal(crypto.createHmac('sha1', 'k').update('d').digest().length, 20);
    assert.equal(crypto.randomBytes(32).length, 32);
    assert.equal(crypto.randomUUID().length, 36);
  },
  'crypto: work of the pool': async () => {
    const derive = promisify(crypto.scrypt);
    const keys = await Promise.all(Array.from({ length: 8 }, (_, index) => derive(`p${index}`, 'salt', 32)));
    assert.equal(new Set(keys.map(String)).size, 8);
  },
  'crypto: keys, signatures, ciphers': async () => {
    const { publicKey, privateKey } = await promisify(crypto.generateKeyPair)('rsa', { modulusLength: 1024 });
    const signature = crypto.sign('sha256', Buffer.from('text'), privateKey);
    assert.ok(crypto.verify('sha256', Buffer.from('text'), publicKey, signature));
    const cipher = crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12));
    assert.equal(cipher.update('text', 'utf8', 'hex').length, 8);
  },
  'crypto: Web Crypto': async () => {
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']);
    assert.ok(
      (await crypto.subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, key, new Uint8Array(9))).byteLength > 9,
    );
  },
  'worker_threads: message and answer': async () => {
    const [answer] = await worker("require('node:worker_threads').parentPort.postMessage(6 * 7)");
    assert.equal(answer, 42);
  },
  'worker_threads: eight at a time, with files': async () => {
    const code =
      "const fs = require('node:fs'); require('node:worker_threads').parentPort.postMessage(fs.readdirSync('/').length)";
    const counts = await Promise.all(Array.from({ length: 8 }, () => worker(code)));
    assert.equal(new Set(counts.map(([count]) => count)).size, 1);
  },
  'worker_threads: terminate, errors, limits': async () => {
    const endless = new Worker('for (;;);', { eval: true });
    await once(endless, 'online');
    assert.equal(await endless.terminate(), 1);
    const [thrown] = await once(new Worker("throw new Error('mine')", { eval: true }), 'error');
    assert.equal(thrown.message, 'mine');
    const hungry = new Worker('const a = []; for (let i = 0; i < 60_000; i += 1) a.push(new Array(1000).fill(1.5))', {
      eval: true,
      resourceLimits: { maxOldGenerationSizeMb: 12 },
    });
    // Node 26.12 forgets the limit in some runs, confined or not: then the worker comes to its end.
    const error = await Promise.race([
      once(hungry, 'error').then(([fault]) => fault),
      once(hungry, 'exit').then(() => undefined),
    ]);
    if (error !== undefined) assert.equal(error.code, 'ERR_WORKER_OUT_OF_MEMORY');
    else assert.ok(process.version.startsWith('v26.'));
  },
  'worker_threads: shared memory': async () => {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const code =
      "const w = require('node:worker_threads'); Atomics.store(w.workerData, 0, 7); Atomics.notify(w.workerData, 0); w.parentPort.postMessage(1)";
    const done = worker(code, { workerData: shared });
    Atomics.wait(shared, 0, 0, 5000);
    await done;
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(shared);
    assert.equal((await once(port2, 'message'))[0][0], 7);
    port1.close();
  },
  'zlib: at once and by the pool': async () => {
    const data = crypto.randomBytes(100_000);
    assert.deepEqual(zlib.inflateSync(zlib.deflateSync(data)), data);
    assert.deepEqual(await promisify(zlib.gunzip)(await promisify(zlib.gzip)(data)), data);
  },
  'zlib: brotli streams': async () => {
    const packed = [];
    for await (const chunk of Readable.from(['z'.repeat(500_000)]).pipe(zlib.createBrotliCompress()))
      packed.push(chunk);
    assert.equal(zlib.brotliDecompressSync(Buffer.concat(packed)).length, 500_000);
  },
  'timers: timeouts, intervals, immediates': async () => {
    const start = performance.now();
    await sleep(30);
    await new Promise((resolve) => setImmediate(resolve));
    let ticks = 0;
    await new Promise((resolve) => {
      const timer = setInterval(() => (++ticks === 5 ? resolve(clearInterval(timer)) : undefined), 5);
    });
    assert.ok(performance.now() - start >= 45);
  },
  'timers: loop delay and clocks': async () => {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    await sleep(40);
    assert.ok(delay.max > 0 && process.hrtime.bigint() > 0n && Date.now() > 1e12);
  },
  'memory: collections, big buffers, code': () => {
    for (let round = 0; round < 4; round += 1) {
      const kept = Array.from({ length: 200_000 }, (_, index) => ({ index, text: `t${index}` }));
      assert.equal(Buffer.alloc(30_000_000, round)[29_999_999], round);
      assert.equal(kept.length, 200_000);
      for (let index = 0; index < 100; index += 1)
        assert.equal(new Function(`return ${index} + ${round}`)(), index + round);
    }
    assert.ok(process.memoryUsage().heapUsed > 0);
  },
  'wasm: compile, grow, trap': async () => {
    const bytes = Uint8Array.from([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102, 0, 0, 10, 10, 1, 8, 0,
      65, 127, 40, 2, 0, 26, 11,
    ]);
    const { instance } = await WebAssembly.instantiate(bytes);
    assert.throws(() => instance.exports.f(), WebAssembly.RuntimeError);
    assert.equal(new WebAssembly.Memory({ initial: 1, maximum: 100 }).grow(50), 1);
  },
  'signals: to oneself': async () => {
    const seen = once(process, 'SIGUSR2');
    process.kill(process.pid, 'SIGUSR2');
    await seen;
  },
  'modules: import, require, vm': async () => {
    await fsp.writeFile(path('module.mjs'), 'export default 5');
    assert.equal((await import(path('module.mjs'))).default, 5);
    assert.equal(vm.runInNewContext('a + 1', { a: 1 }), 2);
    assert.equal(process.getBuiltinModule?.('node:assert/strict') ?? assert, assert);
  },
  'os and process: facts': () => {
    assert.ok(os.cpus().length > 0 && os.totalmem() > 0 && os.uptime() > 0 && os.hostname() !== '');
    assert.ok(
      process.cpuUsage().user > 0 &&
        process.resourceUsage().maxRSS > 0 &&
        process.getuid() >= 0 &&
        process.cwd() !== '',
    );
    assert.ok(Object.keys(os.networkInterfaces()).length >= 0);
    assert.notEqual(new Intl.DateTimeFormat('de', { dateStyle: 'full' }).format(0), '');
  },
  'events and lines': async () => {
    await fsp.writeFile(path('lines'), 'a\nb\nc\n');
    const lines = [];
    for await (const line of readline.createInterface({ input: fs.createReadStream(path('lines')) })) lines.push(line);
    assert.deepEqual(lines, ['a', 'b', 'c']);
    const emitter = new EventEmitter();
    setTimeout(() => emitter.emit('done'), 1);
    await once(emitter, 'done');
  },
};

function local(_name, options, done) {
  if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
}

/** Ends of the process: the word is the first argument; test/support/node-app.ts says what each must give. */
export const ends = {
  return: () => {},
  exit: () => process.exit(3),
  code: () => {
    process.exitCode = 4;
  },
  throw: () => {
    throw new Error('uncaught');
  },
  reject: () => {
    Promise.reject(new Error('unhandled'));
  },
  'exit in a handler': () => process.on('exit', () => process.exit(5)),
  'exit with work in the pool': () => {
    for (let index = 0; index < 8; index += 1) crypto.pbkdf2('a', 'b', 1e6, 32, 'sha256', () => {});
    setTimeout(() => process.exit(6), 10);
  },
  'exit with busy workers': () => {
    for (let index = 0; index < 3; index += 1) new Worker('for (;;);', { eval: true });
    setTimeout(() => process.exit(7), 150);
  },
  abort: () => process.abort(),
  'a signal to oneself': () => process.kill(process.pid, 'SIGTERM'),
};
