// WebAssembly: reserved memory, growth, traps, compilation in other threads.
require('./mark.cjs');
const bytes = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102, 0, 0, 10, 10, 1, 8, 0, 65,
  127, 40, 2, 0, 26, 11,
]);
(async () => {
  const { instance } = await WebAssembly.instantiate(bytes);
  try {
    instance.exports.f();
  } catch {}
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1000 });
  for (let index = 0; index < 20; index += 1) memory.grow(10);
  const shared = new WebAssembly.Memory({ initial: 1, maximum: 10, shared: true });
  shared.grow(3);
})();
