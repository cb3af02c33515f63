/*
 * Installs filters one after the other, each answering one errno to uname, the last one to getppid; prints what the kernel answers to
 * both and waits. With an argument it waits in vfork(2), which no signal but a fatal one ends, until its child is gone.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void add(int nr, int error) {
  struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof program / sizeof *program, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter)) _exit(9);
}

int main(int argc, char **argv) {
  (void)argv;
  add(SYS_uname, EACCES);
  add(SYS_uname, EXDEV);
  add(SYS_getppid, EDOM);
  int first = syscall(SYS_uname, 0) < 0 ? errno : 0;
  int second = syscall(SYS_getppid) < 0 ? errno : 0;
  printf("%d %d\n", first, second);
  fflush(stdout);
  if (argc > 1 && vfork() == 0) {
    struct timespec { long seconds, nanoseconds; } time = {2, 0};
    syscall(SYS_nanosleep, &time, 0);
    _exit(0);
  }
  for (;;) pause();
}
