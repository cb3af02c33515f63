import type { SeccompData } from '../facts/seccomp.ts';
import {
  NOTIF_OFFSET_ARCH,
  NOTIF_OFFSET_ARGS,
  NOTIF_OFFSET_IP,
  NOTIF_OFFSET_NR,
  NOTIF_OFFSET_PID,
} from '../kernel/abi.ts';

/** What a struct seccomp_notif says: the thread that calls, and its call as filters see it. */
export function notifiedData(notification: DataView): { readonly tid: number; readonly data: SeccompData } {
  const data = {
    nr: notification.getUint32(NOTIF_OFFSET_NR, true),
    arch: notification.getUint32(NOTIF_OFFSET_ARCH, true),
    instructionPointer: notification.getBigUint64(NOTIF_OFFSET_IP, true),
    args: [0, 1, 2, 3, 4, 5].map((index) => notification.getBigUint64(NOTIF_OFFSET_ARGS + 8 * index, true)),
  };
  return { tid: notification.getUint32(NOTIF_OFFSET_PID, true), data };
}
