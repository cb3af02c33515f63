import * as format from './format.ts';
import { type SealStubPlan, sealStub } from './stubs/seal.ts';
import { sealStubAarch64 } from './stubs/seal-aarch64.ts';

/** What sealing must know of a machine. */
export interface Machine {
  readonly sealStub: (plan: SealStubPlan) => Uint8Array;
  /** Largest page of its kernels, in bytes: segments do not share one. */
  readonly page: number;
}

const MACHINES: ReadonlyMap<number, Machine> = new Map([
  [format.EM_X86_64, { sealStub, page: 0x1000 }],
  [format.EM_AARCH64, { sealStub: sealStubAarch64, page: 0x1_0000 }],
]);

/** By e_machine; undefined for one whose programs cannot be sealed. */
export function sealMachine(machine: number): Machine | undefined {
  return MACHINES.get(machine);
}
