// Imports point down this list only (ARCHITECTURE.md, Layers). Type-only imports count.
const layers = {
  cli: [
    'load',
    'formats',
    'record',
    'explain',
    'lift',
    'apply',
    'observe',
    'kernel',
    'elf',
    'compile',
    'bpf',
    'policy',
    'facts',
  ],
  load: ['elf', 'kernel', 'compile', 'bpf', 'policy', 'facts'],
  formats: ['compile', 'bpf', 'policy', 'facts'],
  record: ['observe', 'kernel', 'elf', 'policy', 'facts'],
  explain: ['observe', 'kernel', 'compile', 'bpf', 'policy', 'facts'],
  lift: ['observe', 'kernel', 'compile', 'bpf', 'policy', 'facts'],
  apply: ['kernel', 'elf', 'compile', 'bpf', 'policy', 'facts'],
  observe: ['kernel', 'elf', 'bpf', 'facts'],
  kernel: ['elf', 'facts'],
  elf: ['facts'],
  compile: ['bpf', 'policy', 'facts'],
  bpf: ['facts'],
  policy: ['facts'],
  facts: [],
  base: [],
};

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(layers).map(([layer, below]) => ({
      name: `layer-${layer}`,
      severity: 'error',
      comment: `${layer}/ may import only: ${['base', layer, ...below].join(', ')}`,
      from: { path: `^src/${layer}/` },
      to: { path: '^src/', pathNot: `^src/(${['base', layer, ...below].join('|')})/` },
    })),
    {
      name: 'ffi-only-in-kernel',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/kernel/libc\\.ts$' },
      to: { path: 'koffi' },
    },
    {
      name: 'pure-layers',
      severity: 'error',
      comment: 'these layers run anywhere: no fs, no process, no clock',
      from: { path: '^src/(base|facts|policy|bpf|compile|elf|formats)/' },
      to: { dependencyTypes: ['core'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
