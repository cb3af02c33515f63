/**
 * Selector arguments by call (names of man-pages section 2): those that choose what the call does. An argument is in the table when the kernel compares it
 * with constants of its headers; never pointers, descriptors, sizes, offsets, identifiers (pid, signal, clock) or permission bits, whose values depend on
 * the run.
 *
 *     NAME        a number: `cmd` of fcntl(2)
 *     NAME|       bits that stand for themselves each: `prot` of mmap(2)
 *     NAME#MASK   such bits, and a number in those of the mask: O_ACCMODE, SOCK_TYPE_MASK (include/linux/net.h), CSIGNAL, FUTEX_CMD_MASK, MAP_TYPE and sizes
 *                 of huge pages (26 to 31)
 *     NAME@MASK   such bits, only those of the mask are looked at
 *     :PREFIX     of the number's constants, where it is not the argument's own (prototypes.ts)
 */
export const SELECTORS: Readonly<Record<string, string>> = {
  // sockets
  socket: 'domain type#0xf protocol',
  socketpair: 'domain type#0xf protocol',
  // Calls of i386 that only number another one: its own arguments are in memory.
  socketcall: 'call:SYS_',
  ipc: 'call',
  accept4: 'flags|',
  getsockopt: 'level optname',
  setsockopt: 'level optname',
  recvfrom: 'flags|',
  recvmsg: 'flags|',
  recvmmsg: 'flags|',
  recvmmsg_time64: 'flags|',
  sendto: 'flags|',
  sendmsg: 'flags|',
  sendmmsg: 'flags|',
  shutdown: 'how',
  // files
  open: 'flags#0x3',
  openat: 'flags#0x3',
  open_by_handle_at: 'flags#0x3',
  dup3: 'flags|',
  pipe2: 'flags|',
  fcntl: 'cmd',
  fcntl64: 'cmd',
  flock: 'operation',
  ioctl: 'request',
  lseek: 'whence',
  _llseek: 'whence',
  fallocate: 'mode|',
  fadvise64: 'advice',
  fadvise64_64: 'advice',
  chmod: 'mode@0xc00:S_IS',
  fchmod: 'mode@0xc00:S_IS',
  fchmodat: 'mode@0xc00:S_IS',
  fchmodat2: 'mode@0xc00:S_IS flags|',
  mknod: 'mode#0xf000:S_IF',
  mknodat: 'mode#0xf000:S_IF',
  faccessat2: 'flags|',
  fchownat: 'flags|',
  linkat: 'flags|',
  newfstatat: 'flags|',
  fstatat64: 'flags|',
  name_to_handle_at: 'flags|',
  renameat2: 'flags|',
  statx: 'flags|',
  unlinkat: 'flags|',
  utimensat: 'flags|',
  preadv2: 'flags|',
  pwritev2: 'flags|',
  splice: 'flags|',
  tee: 'flags|',
  vmsplice: 'flags|',
  close_range: 'flags|',
  memfd_create: 'flags#0xfc000000',
  inotify_init1: 'flags|',
  fanotify_init: 'flags|',
  epoll_create1: 'flags|',
  epoll_ctl: 'op',
  eventfd2: 'flags|',
  signalfd4: 'flags|',
  timerfd_create: 'flags|',
  timerfd_settime: 'flags|',
  io_uring_enter: 'flags|',
  io_uring_register: 'opcode',
  // mounts
  mount: 'mountflags|',
  umount2: 'flags|',
  move_mount: 'flags|',
  open_tree: 'flags|',
  mount_setattr: 'flags|',
  fsconfig: 'cmd',
  fsopen: 'flags|',
  fsmount: 'flags|',
  fspick: 'flags|',
  quotactl: 'cmd',
  // memory
  mmap: 'prot| flags#0xfc00000f',
  mmap2: 'prot| flags#0xfc00000f',
  mprotect: 'prot|',
  pkey_mprotect: 'prot|',
  mremap: 'flags|',
  msync: 'flags|',
  mlock2: 'flags|',
  mlockall: 'flags|',
  madvise: 'advice',
  process_madvise: 'advice',
  mbind: 'mode flags|',
  set_mempolicy: 'mode',
  userfaultfd: 'flags|',
  shmat: 'shmflg|:SHM_',
  shmctl: 'cmd',
  msgctl: 'cmd',
  semctl: 'cmd',
  // processes
  clone: 'flags#0xff:SIG',
  unshare: 'flags|',
  setns: 'nstype',
  execveat: 'flags|',
  wait4: 'options|',
  waitid: 'idtype options|',
  prctl: 'option',
  arch_prctl: 'code',
  personality: 'persona',
  ptrace: 'request',
  kcmp: 'type',
  getrlimit: 'resource',
  setrlimit: 'resource',
  prlimit64: 'resource',
  getpriority: 'which',
  setpriority: 'which',
  ioprio_get: 'which',
  ioprio_set: 'which',
  sched_setscheduler: 'policy',
  pidfd_open: 'flags|',
  pidfd_send_signal: 'flags|',
  futex: 'futex_op#0x7f',
  membarrier: 'cmd flags|',
  seccomp: 'operation flags|',
  landlock_create_ruleset: 'flags|',
  landlock_add_rule: 'rule_type flags|',
  // the kernel
  bpf: 'cmd',
  keyctl: 'operation',
  perf_event_open: 'flags|',
  syslog: 'type',
  reboot: 'cmd',
  finit_module: 'flags|',
  modify_ldt: 'func',
  getrandom: 'flags|',
};

const OPEN = ['flags=O_TMPFILE'];
const MEMORY = ['prot=PROT_WRITE|PROT_EXEC'];
const MODES = ['mode=S_ISUID', 'mode=S_ISGID'];
const SOCKETS = ['domain=AF_NETLINK', 'domain=AF_PACKET', 'domain=AF_ALG', 'domain=AF_VSOCK', 'type=SOCK_RAW'];
const SPACES = ['NEWNS', 'NEWUTS', 'NEWIPC', 'NEWUSER', 'NEWPID', 'NEWNET', 'NEWCGROUP'].map(
  (name) => `flags=CLONE_${name}`,
);

/**
 * Of these selectors, what a reviewer wants to hear of when it was never seen, because more than the program's own memory and files is at stake: `ARGUMENT=CONSTANT`,
 * several arguments together. Bits of one `=` matter together, and are kept apart where they were seen apart (PROT_WRITE with PROT_EXEC).
 */
export const DANGERS: Readonly<Record<string, readonly string[]>> = {
  // ioctl_tty(2): TIOCSTI and TIOCLINUX put input where another program of the terminal reads it
  ioctl: ['request=TIOCSTI', 'request=TIOCLINUX', 'request=TIOCSETD'],
  clone: SPACES,
  unshare: [...SPACES, 'flags=CLONE_NEWTIME'],
  // code that the file system never held
  mmap: MEMORY,
  mmap2: MEMORY,
  mprotect: MEMORY,
  pkey_mprotect: MEMORY,
  shmat: ['shmflg=SHM_EXEC'],
  personality: ['persona=READ_IMPLIES_EXEC', 'persona=ADDR_NO_RANDOMIZE'],
  open: OPEN,
  openat: OPEN,
  execveat: ['flags=AT_EMPTY_PATH'],
  linkat: ['flags=AT_EMPTY_PATH'],
  chmod: MODES,
  fchmod: MODES,
  fchmodat: MODES,
  fchmodat2: MODES,
  mknod: ['mode=S_IFCHR', 'mode=S_IFBLK'],
  mknodat: ['mode=S_IFCHR', 'mode=S_IFBLK'],
  // kernel code that few programs reach (CVE-2026-31431 of AF_ALG)
  socket: SOCKETS,
  setsockopt: ['level=SOL_SOCKET optname=SO_ATTACH_FILTER', 'level=SOL_SOCKET optname=SO_ATTACH_BPF'],
  prctl: ['option=PR_SET_MM', 'option=PR_SET_PTRACER', 'option=PR_SET_DUMPABLE'],
  ptrace: ['request=PTRACE_ATTACH', 'request=PTRACE_SEIZE', 'request=PTRACE_POKETEXT', 'request=PTRACE_POKEDATA'],
  bpf: ['cmd=BPF_PROG_LOAD', 'cmd=BPF_MAP_CREATE'],
  madvise: ['advice=MADV_HWPOISON'],
};
