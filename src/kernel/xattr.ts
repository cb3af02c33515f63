import { NR } from './abi.ts';
import { trySyscall } from './libc.ts';

/** Extended attributes of open files: xattr(7). Node has no interface to them. */

/** XATTR_LIST_MAX and XATTR_SIZE_MAX of include/uapi/linux/limits.h. */
const MAX_BYTES = 65536;

/** Whether a file gives whoever executes it capabilities: setcap(8). False where the file system has no attributes. */
export function hasFileCapabilities(fd: number): boolean {
  return attributeNames(fd).includes('security.capability');
}

/**
 * Copies every extended attribute that the caller may see (ACLs, capabilities, user attributes) from one open file to another.
 *
 * @returns the names of those that could not be copied
 * @throws {UnsupportedError} on another system or CPU
 */
export function copyExtendedAttributes(from: number, to: number): string[] {
  return attributeNames(from).filter((name) => !copyOne(name, from, to));
}

function attributeNames(fd: number): string[] {
  // Safe because: `list` is ours, as long as stated, and referenced until the call is over.
  const list = new Uint8Array(MAX_BYTES);
  const size = trySyscall(NR.flistxattr, fd, list, list.length);
  if (size <= 0) return [];
  return new TextDecoder()
    .decode(list.subarray(0, size))
    .split('\0')
    .filter((name) => name !== '');
}

function copyOne(name: string, from: number, to: number): boolean {
  const nameBytes = new TextEncoder().encode(`${name}\0`);
  const value = new Uint8Array(MAX_BYTES);
  const size = trySyscall(NR.fgetxattr, from, nameBytes, value, value.length);
  return size >= 0 && trySyscall(NR.fsetxattr, to, nameBytes, value, size, 0) === 0;
}
