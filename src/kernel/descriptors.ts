import { readdirSync, readlinkSync } from 'node:fs';
import { F_GETFD, F_SETFD, FD_CLOEXEC, NR } from './abi.ts';
import { mustSyscall, trySyscall } from './libc.ts';

/** Descriptors of this process: which of them its parent gave it, and which a child shall have. */

/** fcntl(F_GETFD): whether the descriptor stays open in what execve(2) starts; undefined where it is not open. */
export function isCloseOnExec(fd: number): boolean | undefined {
  const flags = trySyscall(NR.fcntl, fd, F_GETFD);
  return flags < 0 ? undefined : (flags & FD_CLOEXEC) !== 0;
}

/** fcntl(F_SETFD). */
export function setCloseOnExec(fd: number, on: boolean): void {
  trySyscall(NR.fcntl, fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

const F_DUPFD_CLOEXEC = 1030;

/** Moves a descriptor of ours to a free number above another one. @throws {SyscallError} */
export function moveAbove(fd: number, number: number): number {
  const moved = mustSyscall('fcntl', `copy descriptor ${fd}`, NR.fcntl, fd, F_DUPFD_CLOEXEC, number + 1);
  closeDescriptor(fd);
  return moved;
}

/** Closes a descriptor that node:fs does not know. */
export function closeDescriptor(fd: number): void {
  trySyscall(NR.close, fd);
}

/**
 * The descriptors that our parent gave us, so that a child can have them as if Selkie were not there. Node marks the lowest of them
 * close-on-exec at its start (uv_disable_stdio_inheritance), and opens its own after them, all close-on-exec. So one without the flag
 * was inherited; one with it was inherited unless it is of a kind that Node opens: epoll, eventfd, io_uring, and pipes or socket pairs whose
 * both ends are here.
 */
export function inheritedDescriptors(): readonly number[] {
  const links = new Map<number, string>();
  for (const name of readdirSync('/proc/self/fd')) {
    const link = linkOf(Number(name));
    if (link !== undefined) links.set(Number(name), link);
  }
  const fds = [...links.keys()].sort((a, b) => a - b);
  return fds.filter((fd) => isCloseOnExec(fd) === false || !isOfNode(fd, links));
}

/** What /proc shows of a descriptor of ours, as `pipe:[4711]`; undefined where it is not open. */
export function linkOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // readdirSync's own descriptor: closed by now.
    return undefined;
  }
}

/** What Node or this process opens itself and keeps: never passed on. */
const OWN_KINDS =
  /^anon_inode:(\[eventpoll\]|\[eventfd\]|\[io_uring\]|\[pidfd\]|seccomp notify)|^\/memfd:selkie|^pidfd:/;

function isOfNode(fd: number, links: ReadonlyMap<number, string>): boolean {
  const link = links.get(fd) ?? '';
  // 0, 1 and 2 are the child's whatever they are: Node opens them where its parent did not.
  if (fd <= 2) return false;
  if (OWN_KINDS.test(link)) return true;
  if (!link.startsWith('pipe:')) return false;
  return [...links].some(([other, otherLink]) => other !== fd && otherLink === link && other > 2);
}
