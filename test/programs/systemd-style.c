/*
 * Installs, one after another, the filters that its words name, each by libseccomp as a service manager does for one setting, and waits:
 *   service   a list of calls is allowed, the rest gets EPERM (SystemCallFilter=)
 *   families  sockets of AF_UNIX, AF_INET, AF_INET6 only (RestrictAddressFamilies=)
 *   wx        no memory that is writable and executable (MemoryDenyWriteExecute=)
 *   namespaces  no new namespaces (RestrictNamespaces=)
 *   personality  Linux only (LockPersonality=)
 *   realtime  no real-time scheduling (RestrictRealtime=)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#define RULE(...) check(seccomp_rule_add(__VA_ARGS__), __LINE__)

static void check(int code, int line) {
  if (code != 0) {
    fprintf(stderr, "line %d: %s\n", line, strerror(-code));
    exit(1);
  }
}

static const char *service[] = {
  "read", "write", "readv", "writev", "pread64", "openat", "close", "fstat", "newfstatat", "lseek", "mmap", "munmap", "mprotect", "brk",
  "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "ioctl", "access", "faccessat", "pipe2", "poll", "ppoll", "dup", "dup3", "nanosleep",
  "clock_nanosleep", "getpid", "socket", "connect", "sendto", "recvfrom", "sendmsg", "recvmsg", "shutdown", "bind", "listen", "accept4",
  "clone", "clone3", "execve", "exit", "wait4", "kill", "uname", "fcntl", "ftruncate", "getcwd", "umask", "getuid", "geteuid", "getgid",
  "prctl", "arch_prctl", "futex", "set_tid_address", "set_robust_list", "exit_group", "epoll_wait", "epoll_ctl", "epoll_create1", "tgkill",
  "getrandom", "statx", "rseq", "prlimit64", "seccomp", "personality", "sched_setscheduler", "unshare", "setns", "shmat", "pause",
};

static void fill(scmp_filter_ctx ctx, const char *word) {
  uint32_t no = SCMP_ACT_ERRNO(EPERM);
  if (strcmp(word, "service") == 0) {
    for (size_t i = 0; i < sizeof service / sizeof *service; i++)
      RULE(ctx, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(service[i]), 0);
  } else if (strcmp(word, "families") == 0) {
    uint32_t not_known = SCMP_ACT_ERRNO(EAFNOSUPPORT);
    RULE(ctx, not_known, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_LT, AF_UNIX));
    RULE(ctx, not_known, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GT, AF_INET6));
    for (int family = AF_INET + 1; family < AF_INET6; family++)
      RULE(ctx, not_known, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, family));
  } else if (strcmp(word, "wx") == 0) {
    int both = PROT_WRITE | PROT_EXEC;
    RULE(ctx, no, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));
    RULE(ctx, no, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
    RULE(ctx, no, SCMP_SYS(pkey_mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
    RULE(ctx, no, SCMP_SYS(shmat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, SHM_EXEC, SHM_EXEC));
  } else if (strcmp(word, "namespaces") == 0) {
    RULE(ctx, no, SCMP_SYS(setns), 1, SCMP_A1(SCMP_CMP_EQ, 0));
    RULE(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    int kinds[] = {0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x02000000};
    for (int i = 0; i < 7; i++) {
      RULE(ctx, no, SCMP_SYS(unshare), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, kinds[i], kinds[i]));
      RULE(ctx, no, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, kinds[i], kinds[i]));
      RULE(ctx, no, SCMP_SYS(setns), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, kinds[i], kinds[i]));
    }
  } else if (strcmp(word, "personality") == 0) {
    RULE(ctx, no, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_NE, 0));
  } else if (strcmp(word, "realtime") == 0) {
    for (int policy = 1; policy < 7; policy++)
      if (policy != SCHED_BATCH && policy != SCHED_IDLE)
        RULE(ctx, no, SCMP_SYS(sched_setscheduler), 1, SCMP_A1(SCMP_CMP_EQ, policy));
    RULE(ctx, no, SCMP_SYS(sched_setscheduler), 1, SCMP_A1(SCMP_CMP_GT, 6));
  } else {
    check(-EINVAL, __LINE__);
  }
}

int main(int count, char **words) {
  for (int i = 1; i < count; i++) {
    int is_list = strcmp(words[i], "service") == 0;
    scmp_filter_ctx ctx = seccomp_init(is_list ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW);
    fill(ctx, words[i]);
    check(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW), __LINE__);
    check(seccomp_load(ctx), __LINE__);
    seccomp_release(ctx);
  }
  printf("ready\n");
  fflush(stdout);
  if (getenv("STAY"))
    pause();
  return 0;
}
