import { isPermitted } from '../../decision/actions.ts';
import type { LintRule } from '../finding.ts';
import { eachAbi, listed } from '../stance.ts';

/** Calls that have an operation of io_uring. Source: enum io_uring_op of include/uapi/linux/io_uring.h, io_uring_enter(2). */
const OPERATIONS: readonly string[] = (
  'openat openat2 open socket connect accept accept4 bind listen sendto sendmsg recvfrom recvmsg read write readv writev ' +
  'unlinkat mkdirat renameat2 linkat symlinkat statx setxattr fsetxattr fallocate ftruncate splice'
).split(' ');

const RING: readonly string[] = ['io_uring_setup', 'io_uring_enter', 'io_uring_register'];

/** Rings beside what they go round. */
export const ioUring: LintRule = {
  id: 'io-uring',
  severity: 'warning',
  why: 'what a program does through io_uring passes no filter',
  todo: 'answer io_uring_setup, io_uring_enter and io_uring_register with errno(ENOSYS): their callers fall back',
  source: 'io_uring_enter(2); include/uapi/linux/io_uring.h',
  judge: (subject) =>
    eachAbi(subject, ({ arch }, stance) => {
      const ring = RING.filter((name) => stance.isReachable(name));
      const around = OPERATIONS.filter((name) => stance.isLimited(name));
      if (ring.length === 0 || ring[0] === 'io_uring_register' || around.length === 0) return [];
      const message = `open: ${listed(ring)}: what the filter says of ${listed(around, 4)} does not hold there`;
      return [{ message, arch, place: stance.place(ring[0] as string, isPermitted) }];
    }),
};
