/**
 * The headers whose constants are captured, in order: the first that has a name decides its value. `uapi` headers are read
 * without a C library, so that a value is the kernel's (glibc says O_LARGEFILE is 0 on x86_64); `libc` ones follow for the names
 * that the kernel keeps to itself. All of a set are one unit of the compiler; `only` picks names.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const UAPI = [
  'asm/fcntl.h',
  'linux/fcntl.h',
  'linux/openat2.h',
  'asm/mman.h',
  'linux/mman.h',
  'linux/memfd.h',
  'asm/prctl.h',
  'linux/prctl.h',
  'linux/sched.h',
  'asm/signal.h',
  'asm/siginfo.h',
  'linux/signalfd.h',
  'asm/ioctls.h',
  'asm/termios.h',
  'asm/termbits.h',
  'linux/fs.h',
  'linux/stat.h',
  'asm/stat.h',
  'asm/poll.h',
  'linux/eventpoll.h',
  'linux/eventfd.h',
  'linux/timerfd.h',
  'linux/inotify.h',
  'linux/fanotify.h',
  'linux/time.h',
  'linux/timex.h',
  'linux/resource.h',
  'linux/seccomp.h',
  'linux/filter.h',
  'linux/audit.h',
  'asm/ptrace.h',
  'linux/ptrace.h',
  'linux/bpf.h',
  'linux/keyctl.h',
  'linux/futex.h',
  'linux/random.h',
  'linux/mount.h',
  'linux/wait.h',
  'linux/capability.h',
  'linux/securebits.h',
  'linux/close_range.h',
  'linux/pidfd.h',
  'linux/nsfs.h',
  'linux/io_uring.h',
  'linux/aio_abi.h',
  'linux/landlock.h',
  'linux/membarrier.h',
  'linux/mempolicy.h',
  'linux/userfaultfd.h',
  'linux/perf_event.h',
  'linux/personality.h',
  'linux/reboot.h',
  'linux/quota.h',
  'linux/dqblk_xfs.h',
  'linux/kexec.h',
  'linux/kcmp.h',
  'linux/module.h',
  'linux/rseq.h',
  'linux/ipc.h',
  'linux/sem.h',
  'linux/shm.h',
  'linux/msg.h',
  'linux/mqueue.h',
  'linux/xattr.h',
  'linux/falloc.h',
  'linux/fadvise.h',
  'linux/ioprio.h',
  'linux/lsm.h',
  'asm/socket.h',
  'asm/sockios.h',
  'linux/sockios.h',
  'linux/net.h',
  'linux/in.h',
  'linux/in6.h',
  'linux/tcp.h',
  'linux/udp.h',
  'linux/netlink.h',
  'linux/rtnetlink.h',
  'linux/if_packet.h',
  'linux/if_ether.h',
  'linux/if_tun.h',
  'linux/if_alg.h',
  'linux/if_xdp.h',
  'linux/can.h',
  'linux/un.h',
  'linux/vt.h',
  'linux/kd.h',
  'linux/tiocl.h',
  'linux/fiemap.h',
  'linux/fscrypt.h',
  'linux/fsverity.h',
  'linux/blkzoned.h',
  'linux/blkpg.h',
  'linux/loop.h',
  'linux/nbd.h',
  'linux/dm-ioctl.h',
  'linux/fuse.h',
  'linux/btrfs.h',
  'linux/watchdog.h',
  'linux/rtc.h',
  'linux/hidraw.h',
  'linux/usbdevice_fs.h',
  'linux/vhost.h',
  'linux/vfio.h',
  'linux/kvm.h',
  'linux/nvme_ioctl.h',
  'linux/suspend_ioctls.h',
  'linux/dma-buf.h',
  'linux/dma-heap.h',
  'linux/sync_file.h',
  'linux/ppp-ioctl.h',
  'linux/serial.h',
  'asm/ldt.h',
  'asm/mtrr.h',
  'asm/hwcap2.h',
  'linux/auxvec.h',
];
// Names of these that are no argument of any call: sizes of messages, layouts, versions, and names of uapi's own machinery.
const NOISE =
  '^(?!FUSE_(?!DEV)|BTRFS_(?!IOC)|KVM_(REG|ARM|MIPS|PPC|S390|RISCV|LOONGARCH|MP_STATE|EXIT)|ARPHRD_|IORING_(?!SETUP|ENTER|REGISTER|OP|FEAT|OFF|UNREG)|VFIO_(?!IOMMU|DEVICE|GROUP|GET|SET|CHECK)|DM_(?!DEV|TABLE|LIST|TARGET|VERSION$|REMOVE)|RTA_|NDA_|TCA_|IFLA_|K_(?!OFF|RAW|XLATE|MEDIUMRAW|UNICODE))';

const PRIVATE_NAMES = /^#define\s+(?:AF|PF|SOL|SOCK|MSG)_\w+[ \t]+[^\n]+/gm;

/** AF_, PF_, SOL_, MSG_ and SOCK_ of the kernel's own include/linux/socket.h and net.h, which are not uapi. */
function privateHeader(kernelHeaders) {
  const texts = ['socket.h', 'net.h'].map((name) => readFileSync(join(kernelHeaders, 'linux', name), 'utf8'));
  const defines = texts.flatMap((text) => text.match(PRIVATE_NAMES) ?? []).map((line) => line.replace(/\/\*.*/, ''));
  const enums = texts
    .flatMap((text) => text.match(/^enum (?:sock_type|sock_shutdown_cmd) \{[^}]*\}/gm) ?? [])
    // mips numbers its socket types otherwise (arch/mips/include/asm/socket.h): there the C library's count.
    .map((text) => `#ifndef ARCH_HAS_SOCKET_TYPES\n${text};\n#endif`);
  return ['#include <linux/in.h>', '#include <asm/fcntl.h>', '#define CONFIG_COMPAT 1', ...enums, ...defines].join(
    '\n',
  );
}

// C library headers, each with the names to take from it.
const LIBC = {
  'sys/socket.h': '(AF|PF|MSG|SHUT|SOCK|SOL|SO|SCM)_',
  'fcntl.h': '(O_ACCMODE|[RWFX]_OK|LOCK_|SEEK_|POSIX_FADV_|SPLICE_F_|S_I)',
  'sys/file.h': 'LOCK_',
  'sys/mman.h': '(MAP|PROT|MADV|MS|MCL|MFD|POSIX_MADV|MREMAP|MLOCK)_',
  'sys/stat.h': 'UTIME_',
  'sys/wait.h': '(P_|W[A-Z]+$)',
  'sched.h': '(SCHED|CLONE)_',
  'signal.h': '(SIG|SA_|SI_|SS_)',
  'sys/mount.h': '(MNT|UMOUNT)_',
  'sys/resource.h': '(RLIM|RUSAGE|PRIO)_?',
  'sys/reboot.h': 'RB_',
  'sys/swap.h': 'SWAP_',
  'netinet/in.h': '(IP|IPV6|IPPROTO|MCAST)_',
  'netinet/tcp.h': 'TCP_',
  'sys/ptrace.h': 'PTRACE_',
  'sys/epoll.h': 'EPOLL',
  'poll.h': 'POLL',
  'time.h': '(CLOCK|TIMER)_',
  'sys/time.h': 'ITIMER_',
  'sys/sem.h': '(SEM_|GET|SET|SEM)',
  'sys/shm.h': 'SHM_',
  'net/if.h': 'IFF?_',
  'linux/vm_sockets.h': '(VMADDR|SO_VM)',
};

// Types that headers expect of the C library, as the kernel has them: SO_RCVTIMEO is the old one where time_t is a long.
const KERNEL_TYPES = '#include <asm/posix_types.h>\ntypedef __SIZE_TYPE__ size_t;\ntypedef __kernel_long_t time_t;';

/** What a header includes that not every arch has. */
const WANTS = { 'linux/kvm.h': 'asm/kvm.h' };

const included = (paths) =>
  paths
    .map(
      (path) => `#if __has_include(<${path}>) && __has_include(<${WANTS[path] ?? path}>)\n#include <${path}>\n#endif`,
    )
    .join('\n');

/** `{ set, text, only }` of each unit. */
export function headerList(kernelHeaders) {
  return [
    { set: 'uapi', text: `${KERNEL_TYPES}\n${included(UAPI)}`, only: NOISE },
    { set: 'uapi', text: privateHeader(kernelHeaders), only: '^(AF|PF|SOL|SOCK|SHUT|MSG)_' },
    {
      set: 'libc',
      text: `#define _GNU_SOURCE\n${included(Object.keys(LIBC))}`,
      only: `^(${Object.values(LIBC).join('|')})`,
    },
  ];
}
