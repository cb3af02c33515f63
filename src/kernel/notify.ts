import {
  NOTIF_RESP_SIZE,
  NOTIF_SIZE,
  POLLERR,
  POLLHUP,
  POLLIN,
  SECCOMP_IOCTL_NOTIF_ID_VALID,
  SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR,
  SECCOMP_IOCTL_NOTIF_RECV,
  SECCOMP_IOCTL_NOTIF_SEND,
  SECCOMP_IOCTL_NOTIF_SET_FLAGS,
  SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
  SECCOMP_USER_NOTIF_FLAG_CONTINUE,
} from './abi.ts';
import { lastErrno, libc, syscallError } from './libc.ts';
import { notifSizes } from './seccomp.ts';

/** A listener of seccomp user notification: seccomp_unotify(2). */

const ENOENT = 2;
const EINTR = 4;

/** A listener with its buffers, to be used by one thread. */
export class Listener {
  readonly fd: number;
  /** struct seccomp_notif of the call received last; see abi.ts for its offsets. */
  readonly notification: DataView;
  readonly #notif: Uint8Array;
  readonly #response: Uint8Array;
  readonly #responseView: DataView;
  readonly #ioctl: ReturnType<typeof libc>['ioctl'];

  constructor(fd: number) {
    const sizes = notifSizes();
    this.fd = fd;
    // A kernel with larger structs writes all of its own: buffers are sized by what it says (traps: GET_NOTIF_SIZES).
    this.#notif = new Uint8Array(Math.max(sizes.notif, NOTIF_SIZE));
    this.#response = new Uint8Array(Math.max(sizes.response, NOTIF_RESP_SIZE));
    this.notification = new DataView(this.#notif.buffer);
    this.#responseView = new DataView(this.#response.buffer);
    this.#ioctl = libc().ioctl;
  }

  /**
   * Makes the supervisor and the caller take turns on one CPU, which is many times faster (6.6+).
   *
   * @returns whether the kernel took it
   */
  wakeUpSynchronously(): boolean {
    // The flag is passed by value: the ioctl number says pointer, the kernel does not (kernel/seccomp.c).
    return this.#ioctl(this.fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) === 0;
  }

  /**
   * Receives one call into `notification`. Only after poll said POLLIN: it blocks when nothing waits, whatever O_NONBLOCK says.
   *
   * @returns false where the caller has gone meanwhile, which is normal life
   * @throws {SyscallError}
   */
  receive(): boolean {
    // The kernel refuses a buffer that is not zeroed (EINVAL).
    this.#notif.fill(0);
    // Safe because: #notif is owned by this object and at least as long as the kernel's struct.
    if (this.#ioctl(this.fd, SECCOMP_IOCTL_NOTIF_RECV, this.#notif) === 0) return true;
    return this.#gone('SECCOMP_IOCTL_NOTIF_RECV');
  }

  /** Lets a received call run in the kernel; `call` is its struct seccomp_notif. @returns false where the caller has gone */
  continue(call: DataView = this.notification): boolean {
    return this.#send(call, 0n, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
  }

  /** Answers a received call instead of the kernel: `errno` > 0 fails it, else it returns `value`. */
  answer(value: bigint, errno: number, call: DataView = this.notification): boolean {
    return this.#send(call, value, -errno, 0);
  }

  #send(call: DataView, value: bigint, error: number, flags: number): boolean {
    const view = this.#responseView;
    view.setUint32(0, call.getUint32(0, true), true);
    view.setUint32(4, call.getUint32(4, true), true);
    view.setBigInt64(8, value, true);
    view.setInt32(16, error, true);
    view.setUint32(20, flags, true);
    // Safe because: #response is owned by this object and at least as long as the kernel's struct.
    if (this.#ioctl(this.fd, SECCOMP_IOCTL_NOTIF_SEND, this.#response) === 0) return true;
    return this.#gone('SECCOMP_IOCTL_NOTIF_SEND');
  }

  /** Whether a received call still waits, so that what was read of its caller belonged to it. */
  isValid(call: DataView = this.notification): boolean {
    const id = new Uint8Array(call.buffer, call.byteOffset, 8);
    return (
      this.#ioctl(this.fd, SECCOMP_IOCTL_NOTIF_ID_VALID, id) === 0 ||
      this.#ioctl(this.fd, SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR, id) === 0
    );
  }

  #gone(call: string): false {
    const errno = lastErrno();
    if (errno !== ENOENT && errno !== EINTR) throw syscallError(call, errno, 'serve a notification');
    return false;
  }
}

/** What poll(2) waits for: POLLIN on each descriptor. */
export class PollSet {
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #count: number;
  readonly #poll: ReturnType<typeof libc>['poll'];

  /** A negative descriptor is left out by the kernel. */
  constructor(fds: readonly number[]) {
    this.#count = fds.length;
    this.#memory = new Uint8Array(8 * fds.length);
    this.#view = new DataView(this.#memory.buffer);
    this.#poll = libc().poll;
    fds.forEach((fd, index) => {
      this.set(index, fd);
    });
  }

  /** Replaces a descriptor; -1 leaves the place empty. */
  set(index: number, fd: number): void {
    this.#view.setInt32(8 * index, fd, true);
    this.#view.setInt16(8 * index + 4, POLLIN, true);
    this.#view.setInt16(8 * index + 6, 0, true);
  }

  /** Waits at most `timeoutMs` (-1: for ever). @returns how many are ready; 0 also where a signal came */
  wait(timeoutMs: number): number {
    // Safe because: #memory holds #count structs pollfd and is owned by this object.
    const ready = this.#poll(this.#memory, this.#count, timeoutMs);
    if (ready >= 0) return ready;
    const errno = lastErrno();
    if (errno !== EINTR) throw syscallError('poll', errno, 'wait for notifications');
    return 0;
  }

  isReadable(index: number): boolean {
    return (this.#view.getInt16(8 * index + 6, true) & POLLIN) !== 0;
  }

  /** The other side is gone: of a listener, its last user. */
  isHungUp(index: number): boolean {
    return (this.#view.getInt16(8 * index + 6, true) & (POLLHUP | POLLERR)) !== 0;
  }
}
