import { NR } from './abi.ts';
import { closeDescriptor } from './descriptors.ts';
import { libc, mustSyscall } from './libc.ts';
import { memoryFile } from './spawn.ts';

const PROT_READ_EXEC = 1 | 4;
const MAP_PRIVATE = 2;

/**
 * Maps machine code and makes it callable: `int f(void *)` of the C ABI. The mapping stays as long as this process.
 *
 * Safe because: the code is ours, position-independent, mapped read-only from a memory file that nobody else can write any more, and called
 * with memory that the caller keeps alive.
 *
 * @throws {SyscallError} where executable memory is forbidden
 */
export function machineCode(name: string, code: Uint8Array): (memory: Uint8Array) => number {
  const fd = memoryFile(name, code);
  try {
    const address = mustSyscall(
      'mmap',
      'map machine code',
      NR.mmap,
      null,
      code.length,
      PROT_READ_EXEC,
      MAP_PRIVATE,
      fd,
      0,
    );
    const { koffi } = libc();
    const type = koffi.proto('int', ['void *']);
    return (memory) => koffi.call(BigInt(address), type, memory) as number;
  } finally {
    closeDescriptor(fd);
  }
}
