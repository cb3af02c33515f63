/** What the answerers of all machines share: where their state is, by offsets from its base, and the kernel's numbers. */

/** What the word at LISTENER holds until seccomp(2) has answered. */
export const NOT_YET = -1;

export const STATE = {
  listener: 0,
  follower: 8,
  proc: 16,
  pipe: 24,
  byte: 32,
  poll: 40,
  planted: 48,
  cave: 56,
  /** struct seccomp_notif: id 8 | pid 4 | flags 4 | nr 4 | arch 4 | ip 8 | args 6 x 8. */
  notice: 64,
  noticeSize: 80,
  /** struct seccomp_notif_resp: id 8 | val 8 | error 4 | flags 4. */
  answer: 192,
  saved: 256,
  plant: 320,
  silence: 384,
  auxv: 0x400,
  auxvSize: 0x400,
  childStack: -0x2000,
  followerStack: -0x4000,
} as const;

/** include/uapi/linux/seccomp.h */
export const SECCOMP_IOCTL_NOTIF_RECV = 0xc050_2100;
export const SECCOMP_IOCTL_NOTIF_SEND = 0xc018_2101;
export const CONTINUE = 1;
export const ENOENT = 2;
export const EINTR = 4;
/** CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_SYSVSEM. */
export const CLONE_THREAD_FLAGS: number = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000;
export const CLONE_VM = 0x100;
export const CLONE_VFORK = 0x4000;
export const WALL = 0x4000_0000;
export const O_CLOEXEC = 0o2000000;
export const O_RDWR = 2;
export const AT_FDCWD = -100;
