// Threads with heaps of their own come, talk and go: by themselves, by process.exit, by an error, by terminate and by too little memory.
require('./mark.cjs');
const { Worker } = require('node:worker_threads');
const start = (code, options = {}) =>
  new Promise((resolve) => {
    const worker = new Worker(code, { eval: true, ...options });
    worker.on('error', () => {});
    worker.on('message', (message) => (message === 'stop' ? worker.terminate() : worker.postMessage(message)));
    worker.on('exit', resolve);
  });
const post = "require('node:worker_threads').parentPort";
Promise.all([
  start(`${post}.once('message', () => process.exit(3)); ${post}.postMessage(1)`),
  start('let a = []; for (let i = 0; i < 1e6; i += 1) a.push({ i }); '),
  start("throw new Error('a worker ends')"),
  start(`${post}.postMessage('stop'); for (;;);`),
  start('const a = []; for (;;) a.push(new Array(1000).fill(1.5))', { resourceLimits: { maxOldGenerationSizeMb: 16 } }),
  start('Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 50)'),
]);
