import { AT_EMPTY_PATH, F_SETFD, NR } from './abi.ts';
import { environPointer, libc, mustSyscall, stringArray, syscallError, trySyscall } from './libc.ts';

/** Starting programs without libuv: posix_spawn(3), execveat(2), programs in memory, descriptors sent over sockets. */

const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;
const EINVAL = 22;
const AF_UNIX = 1;
const SOCK_SEQPACKET_CLOEXEC = 5 | 0o2000000;
const O_CLOEXEC = 0o2000000;

/**
 * Puts an executable into memory: memfd_create(2), close-on-exec.
 *
 * @returns its descriptor
 * @throws {SyscallError} also where vm.memfd_noexec forbids executable memory files (EACCES)
 */
export function memoryFile(name: string, bytes: Uint8Array): number {
  const path = Buffer.from(`${name}\0`);
  // MFD_EXEC says since 6.3 what was the only way before, when it was EINVAL.
  let fd = trySyscall(NR.memfd_create, path, MFD_CLOEXEC | MFD_EXEC);
  if (fd === -EINVAL) fd = trySyscall(NR.memfd_create, path, MFD_CLOEXEC);
  if (fd < 0) throw syscallError('memfd_create', -fd, 'make the launcher');
  for (let done = 0; done < bytes.length; )
    done += mustSyscall('write', 'fill the launcher', NR.write, fd, bytes.subarray(done), bytes.length - done);
  return fd;
}

/** A connected pair of unix sockets that keep message boundaries, both close-on-exec. @throws {SyscallError} */
export function socketPair(): readonly [number, number] {
  const fds = Buffer.alloc(8);
  mustSyscall('socketpair', 'talk to the launcher', NR.socketpair, AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0, fds);
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

/** An eventfd(2), close-on-exec: becomes readable by `raiseEvent`. @throws {SyscallError} */
export function eventDescriptor(): number {
  return mustSyscall('eventfd2', 'make a wake-up call', NR.eventfd2, 0, O_CLOEXEC);
}

/** A pipe, both ends close-on-exec: the reading one, the writing one. @throws {SyscallError} */
export function pipe(): readonly [number, number] {
  const fds = Buffer.alloc(8);
  mustSyscall('pipe2', 'make a pipe', NR.pipe2, fds, O_CLOEXEC);
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

/** Makes an eventfd readable. */
export function raiseEvent(fd: number): void {
  const one = Buffer.alloc(8);
  one.writeBigUInt64LE(1n, 0);
  trySyscall(NR.write, fd, one, 8);
}

/** Sends one byte, which says "go on". */
export function sendByte(socket: number): void {
  mustSyscall('write', 'let the command begin', NR.write, socket, Buffer.from([1]), 1);
}

/** A message of a unix socket: its bytes, and the descriptor that came with it. */
export interface Message {
  readonly bytes: Uint8Array;
  readonly fd: number | undefined;
}

const MAX_MESSAGE = 256;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SCM_RIGHTS = 1;

/**
 * Receives one message without waiting.
 *
 *     struct msghdr: name 8 | namelen 4 + 4 | iov 8 | iovlen 8 | control 8 | controllen 8 | flags 4 + 4    (56 bytes)
 *     struct cmsghdr: len 8 | level 4 | type 4 | data
 *
 * @returns undefined where none waits; empty bytes where the other side has closed
 */
export function receiveMessage(socket: number): Message | undefined {
  const { koffi } = libc();
  const data = new Uint8Array(MAX_MESSAGE);
  const iov = Buffer.alloc(16);
  iov.writeBigUInt64LE(koffi.address(data), 0);
  iov.writeBigUInt64LE(BigInt(MAX_MESSAGE), 8);
  const control = Buffer.alloc(24);
  const header = Buffer.alloc(56);
  header.writeBigUInt64LE(koffi.address(iov), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(koffi.address(control), 32);
  header.writeBigUInt64LE(24n, 40);
  // Safe because: header, iov, data and control are ours, of the lengths they state, and referenced until the call is over.
  const length = trySyscall(NR.recvmsg, socket, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0) return undefined;
  const hasFd = header.readBigUInt64LE(40) >= 20n && control.readInt32LE(12) === SCM_RIGHTS;
  return { bytes: data.slice(0, length), fd: hasFd ? control.readInt32LE(16) : undefined };
}

/** How posix_spawn(3) shall start a program. */
export interface SpawnOptions {
  /** Must not depend on PATH. */
  readonly path: string;
  readonly argv: readonly string[];
  /** Descriptors that stay open there under their numbers; all others of ours are close-on-exec. */
  readonly descriptors: readonly number[];
  /** One more, under another number; no other descriptor that is needed may have that. */
  readonly renamed?: { readonly from: number; readonly to: number };
}

const POSIX_SPAWN_SETSIGDEF = 4;
const POSIX_SPAWN_SETSIGMASK = 8;
/** Larger than posix_spawnattr_t, posix_spawn_file_actions_t and sigset_t of glibc (336, 80, 128 bytes) and musl. */
const OPAQUE_SIZE = 512;

/**
 * Starts a program with all signals at their defaults and all blocked, on the environment of this process. The caller waits for it:
 * libuv does not know it. Its parent is the calling thread, to which PR_SET_PDEATHSIG there is bound.
 *
 * @returns its pid
 * @throws {SyscallError} as execve(2) or clone(2)
 */
export function spawnBlocked(options: SpawnOptions): number {
  const opaque = () => Buffer.alloc(OPAQUE_SIZE);
  const call = (name: string, parameters: readonly string[], ...args: unknown[]) =>
    libc().function(name, 'int', parameters)(...args) as number;
  const actions = opaque();
  const attributes = opaque();
  const signals = opaque();
  call('sigfillset', ['void *'], signals);
  call('posix_spawnattr_init', ['void *'], attributes);
  call('posix_spawnattr_setflags', ['void *', 'short'], attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  call('posix_spawnattr_setsigdefault', ['void *', 'void *'], attributes, signals);
  call('posix_spawnattr_setsigmask', ['void *', 'void *'], attributes, signals);
  call('posix_spawn_file_actions_init', ['void *'], actions);
  // A dup2 onto itself clears close-on-exec in the child alone (POSIX, posix_spawn_file_actions_adddup2).
  for (const fd of options.descriptors)
    call('posix_spawn_file_actions_adddup2', ['void *', 'int', 'int'], actions, fd, fd);
  const { renamed } = options;
  if (renamed) call('posix_spawn_file_actions_adddup2', ['void *', 'int', 'int'], actions, renamed.from, renamed.to);
  const argv = stringArray(options.argv);
  const pid = Buffer.alloc(4);
  // Safe because: every buffer is ours, at least as long as its type, and referenced until posix_spawn has copied it.
  const parameters = ['void *', 'str', 'void *', 'void *', 'void *', 'void *'];
  const errno = call(
    'posix_spawn',
    parameters,
    pid,
    options.path,
    actions,
    attributes,
    argv.pointers,
    environPointer(),
  );
  call('posix_spawn_file_actions_destroy', ['void *'], actions);
  call('posix_spawnattr_destroy', ['void *'], attributes);
  if (errno !== 0 || argv.memory.length === 0) throw syscallError('posix_spawn', errno, `start ${options.path}`);
  return pid.readInt32LE(0);
}

const SIGNAL_COUNT = 64;

/** Sets every signal to its default: Node ignores SIGPIPE and SIGXFSZ, and what is ignored stays so in another program. */
function resetSignals(): void {
  // Safe because: a struct sigaction of the kernel is 32 bytes; zeros are SIG_DFL. SIGKILL and SIGSTOP are refused, which does not matter.
  const byDefault = Buffer.alloc(32);
  for (let signal = 1; signal <= SIGNAL_COUNT; signal += 1) trySyscall(NR.rt_sigaction, signal, byDefault, null, 8);
}

/**
 * Replaces this process by the program of a descriptor: execveat(2), with all signals at their defaults and the environment as it is.
 *
 * @param keep - descriptors that shall stay open there
 * @throws {SyscallError}; on success it does not return
 */
export function replaceProcess(fd: number, argv: readonly string[], keep: readonly number[]): never {
  for (const kept of keep) mustSyscall('fcntl', `pass on descriptor ${kept}`, NR.fcntl, kept, F_SETFD, 0);
  const words = stringArray(argv);
  const empty = Buffer.alloc(1);
  resetSignals();
  // Safe because: the kernel copies strings and pointers before the old memory goes.
  const result = trySyscall(NR.execveat, fd, empty, words.pointers, environPointer(), AT_EMPTY_PATH);
  throw syscallError('execveat', -result, `replace this process (${words.memory.length} bytes of arguments)`);
}

/** Reaps a child that `spawnBlocked` started, without waiting. @returns its wait status; undefined while it lives */
export function reap(pid: number): number | undefined {
  const WNOHANG = 1;
  const status = Buffer.alloc(4);
  const result = trySyscall(NR.wait4, pid, status, WNOHANG, null);
  if (result === 0) return undefined;
  return result < 0 ? 0 : status.readInt32LE(0);
}
