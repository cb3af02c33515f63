// Heaps grow and shrink: young, old, large objects, array buffers, code.
require('./mark.cjs');
let kept = [];
for (let round = 0; round < 6; round += 1) {
  for (let index = 0; index < 40_000; index += 1)
    kept.push({ index, text: `text ${index}`, list: new Array(20).fill(index) });
  kept.push(new Array(2_000_000).fill(round), new Uint8Array(20_000_000), Buffer.allocUnsafe(5_000_000));
  for (let index = 0; index < 300; index += 1) kept.push(new Function('a', `return a + ${index} * ${round}`)(1));
  if (round % 2 === 1) kept = [];
}
if (globalThis.gc) for (let round = 0; round < 5; round += 1) gc();
const hot = (count) => {
  let sum = 0;
  for (let i = 0; i < count; i += 1) sum += Math.imul(i, 31) ^ sum;
  return sum;
};
for (let index = 0; index < 200; index += 1) hot(100_000);
