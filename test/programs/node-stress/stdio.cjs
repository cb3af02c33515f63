// The standard streams, whatever they are.
require('./mark.cjs');
console.log('out');
console.error('err');
process.stdout.write('more '.repeat(30_000));
process.stdin.on('data', () => {});
process.stdin.on('end', () => {});
setTimeout(() => process.stdin.destroy(), 200);
