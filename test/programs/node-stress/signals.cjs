// Handlers come and go; the signals come from outside (see derive-node.mjs).
require('./mark.cjs');
process.on('SIGUSR2', () => {});
process.on('SIGWINCH', () => {});
process.once('SIGHUP', () => process.off('SIGUSR2', () => {}));
setTimeout(() => process.exit(0), 900);
