// Every end of a process, by the word it is given.
require('./mark.cjs');
const ends = {
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
  handlers: () => {
    process.on('exit', () => process.exit(5));
    process.on('beforeExit', () => {});
  },
  stack: () => {
    const deep = () => 1 + deep();
    try {
      deep();
    } catch {}
  },
  pool: () => {
    require('node:crypto').pbkdf2('a', 'b', 1e6, 32, 'sha256', () => {});
    process.exit(0);
  },
  worker: () => {
    new (require('node:worker_threads').Worker)('for(;;);', { eval: true });
    setTimeout(() => process.exit(0), 100);
  },
  abort: () => process.abort(),
  memory: () => {
    const kept = [];
    for (;;) kept.push(new Array(1000).fill({}));
  },
  really: () => process.reallyExit(6),
};
ends[process.argv[2]]();
