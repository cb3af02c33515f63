// Other ABIs, filters, tracing, and parts of the kernel with ways of their own.
#include "victims.h"

#ifdef __x86_64__
static long int80(long nr, long a) { long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a) : "memory", "r8", "r9", "r10", "r11"); return r; }
static void int80_calls(void) { for (int i = 0; i < 5; i++) int80(20, 0); }
static void int80_forks(void) { if (!int80(2, 0)) { int80(64, 0); int80(1, 0); } reap(); }
static void x32_numbers(void) { syscall(0x40000000 + 39); syscall(0x40000000 + 110); syscall(0x40000000 + 520, 0, 0, 0); }
static void vsyscall(void) { ((long (*)(long *))0xffffffffff600400)(0); }
#endif
static void unknown_numbers(void) { syscall(4000); syscall(0x7ff); syscall(1023); }
static void negative_number(void) { syscall(-1); syscall(-2); }

static void filter_allows(void) { if (install(9999, SECCOMP_RET_ERRNO | EPERM, 0)) _exit(1); calls(3); }
static void filter_denies(void) { if (install(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0)) _exit(1); calls(3); syscall(SYS_getpgid, 0); }
static void filter_traps(void) { signal(SIGSYS, SIG_IGN); if (install(SYS_getppid, SECCOMP_RET_TRAP, 0)) _exit(1); calls(1); }
static void filter_kills(void) { if (install(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0)) _exit(1); calls(1); }
static void filter_traces(void) { if (install(SYS_getppid, SECCOMP_RET_TRACE, 0)) _exit(1); calls(1); }
static void filter_logs(void) { if (install(SYS_getppid, SECCOMP_RET_LOG, 0)) _exit(1); calls(1); }
static void filter_listens(void) { int fd = install(9999, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER); if (fd >= 0) syscall(SYS_getpgid, 0); }
static void strict_mode(void) { if (!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0)) syscall(SYS_exit, 0); syscall(SYS_getpgid, 0); }

static void traces(void) {
  int status, pid = fork();
  if (!pid) { if (ptrace(PTRACE_TRACEME, 0, 0, 0)) _exit(1); syscall(SYS_getpgid, 0); raise(SIGSTOP); _exit(0); }
  while (waitpid(pid, &status, 0) > 0 && WIFSTOPPED(status)) ptrace(PTRACE_CONT, pid, 0, 0);
}
static void undumpable(void) { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); calls(2); if (!fork()) { calls(2); _exit(0); } reap(); }
static void setuid_refused(void) { if (setresuid(65534, 65534, 65534)) _exit(1); if (setuid(0) != -1) _exit(1); calls(1); if (!fork()) { calls(1); _exit(0); } reap(); }
// A copy of this with the setuid bit: gains rights, or not.
static void setuid_file(void) {
  // What the C library asks where rights were gained.
  fcntl(0, F_GETFD); syscall(SYS_access, "/", 0);
  if (geteuid() != getuid()) { syscall(SYS_getpgid, 0); return; }
  if (getuid() != 0) return;
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 10);
  path[length] = 0; strcat(path, ".setuid");
  if (setresuid(65534, 65534, 65534)) _exit(1);
  execl(path, "setuid", "setuid_file", (char *)0);
}
static void uring(void) {
  uint32_t parameters[30] = {0};
  int fd = syscall(425, 4, parameters);
  syscall(426, fd, 0, 0, 0, 0, 0); syscall(427, fd, 0, 0, 0);
}
static void passes_descriptors(void) {
  int pair[2], fd = open("/dev/null", O_RDONLY); char byte = 1, room[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec part = {&byte, 1}; struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return;
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET; head->cmsg_type = SCM_RIGHTS; head->cmsg_len = CMSG_LEN(sizeof fd); memcpy(CMSG_DATA(head), &fd, sizeof fd);
  sendmsg(pair[0], &message, 0); recvmsg(pair[1], &message, 0); shutdown(pair[0], SHUT_RDWR);
}
static void old_ipc(void) {
  int memory = shmget(IPC_PRIVATE, 4096, 0600), set = semget(IPC_PRIVATE, 1, 0600), queue = msgget(IPC_PRIVATE, 0600);
  struct { long type; char text[4]; } message = {1, "abc"}; struct sembuf up = {0, 1, 0};
  shmdt(shmat(memory, 0, 0)); semop(set, &up, 1); msgsnd(queue, &message, 4, 0); msgrcv(queue, &message, 4, 0, 0);
  shmctl(memory, IPC_RMID, 0); semctl(set, 0, IPC_RMID); msgctl(queue, IPC_RMID, 0);
}
static void memory(void) {
  int fd = syscall(SYS_memfd_create, "memory", 0);
  if (ftruncate(fd, 8192)) return;
  char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  mprotect(page, 4096, PROT_READ); madvise(page, 4096, MADV_DONTNEED); mlock(page, 4096); msync(page, 8192, MS_SYNC);
  page = mremap(page, 8192, 4096, 0); munmap(page, 4096); if (brk(sbrk(0))) return; syscall(SYS_membarrier, 0, 0, 0);
}
static void watches(void) { int fd = inotify_init1(0); inotify_add_watch(fd, "/tmp", IN_CREATE); syscall(SYS_fanotify_init, 0, 0); }
static void scheduling(void) { cpu_set_t set; sched_getaffinity(0, sizeof set, &set); sched_setaffinity(0, sizeof set, &set); sched_yield(); setpriority(PRIO_PROCESS, 0, 1); }
static void identity(void) { syscall(SYS_getuid); syscall(SYS_getgid); syscall(SYS_geteuid); syscall(SYS_getegid); syscall(SYS_getgroups, 0, 0); umask(022); getpgrp(); getsid(0); }
static void limits(void) { struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = 64; setrlimit(RLIMIT_NOFILE, &limit); for (int i = 0; i < 70; i++) dup(2); }
static void keys(void) { syscall(SYS_keyctl, 0, -3, 0); syscall(SYS_add_key, "user", "selkie", "x", 1, -2); }
static void landlocks(void) { syscall(444, 0, 0, 1); prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); syscall(446, -1, 0); }
static void descriptors(void) { int fd = dup(0); dup2(fd, 77); dup3(fd, 78, O_CLOEXEC); fcntl(77, F_SETFD, FD_CLOEXEC); syscall(436, 77, 78, 0); }
static void deleted_file(void) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 10);
  path[length] = 0; strcat(path, ".gone");
  if (getenv("GONE")) { unlink(path); calls(1); return; }
  setenv("GONE", "1", 1);
  int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  char buffer[65536];
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;) if (write(to, buffer, n) != n) _exit(1);
  close(to);
  execl(path, "gone", "deleted_file", (char *)0);
}

const struct victim others[] = {
#ifdef __x86_64__
    {"int80_calls", int80_calls}, {"int80_forks", int80_forks}, {"x32_numbers", x32_numbers}, {"vsyscall", vsyscall},
#endif
    {"unknown_numbers", unknown_numbers}, {"negative_number", negative_number}, {"filter_allows", filter_allows},
    {"filter_denies", filter_denies}, {"filter_traps", filter_traps}, {"filter_kills", filter_kills}, {"filter_traces", filter_traces},
    {"filter_logs", filter_logs}, {"filter_listens", filter_listens}, {"strict_mode", strict_mode}, {"traces", traces},
    {"undumpable", undumpable}, {"setuid_refused", setuid_refused}, {"setuid_file", setuid_file}, {"uring", uring},
    {"passes_descriptors", passes_descriptors}, {"old_ipc", old_ipc}, {"memory", memory}, {"watches", watches},
    {"scheduling", scheduling}, {"identity", identity}, {"limits", limits}, {"keys", keys}, {"landlocks", landlocks},
    {"descriptors", descriptors}, {"deleted_file", deleted_file}, {0, 0}};
