// The loop waits, with timers, immediates and nothing to do.
require('./mark.cjs');
let left = 30;
const timer = setInterval(() => {
  left -= 1;
  if (left === 0) clearInterval(timer);
}, 20);
setTimeout(() => {}, 900);
setImmediate(() => queueMicrotask(() => {}));
Date.now();
performance.now();
process.hrtime.bigint();
Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 30);
