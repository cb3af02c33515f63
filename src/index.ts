/** The library: policies and programs are pure and run anywhere; recording, running and sealing need Linux on x86-64. */

export { type RunOptions, type RunWay, runWithPolicy } from './apply/run.ts';
export { inspectFile, unsealFile } from './apply/seal.ts';
export { type SealedFile, sealWithPolicy } from './apply/with-policy.ts';
export * from './base/errors.ts';
export { type CompileOptions, compile } from './compile/compile.ts';
export { type CompiledPolicy, compilePolicy, compileService } from './compile/compile-policy.ts';
export { type Confinement, type ConfineOptions, type ConfineRules, confine, type Narrowing } from './confine.ts';
export { type LoadedFilter, loadFilter, loadPolicy } from './load/filter.ts';
export { parsePolicy } from './policy/parse.ts';
export { printPolicy } from './policy/print.ts';
export { type Recording, record } from './record/record.ts';
