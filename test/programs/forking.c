/*
 * Threads of which each but the first installs a filter of its own, with an errno of its own for uname, and makes children at the same time
 * as the others; each child says by its exit code whether it was answered as its maker is. Then one thread makes children before and after
 * it installs a second filter. Prints how many were answered otherwise.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 5, CHILDREN = 40 };
static int wrong;

static void install(int error) {
  struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_uname, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof program / sizeof *program, program};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter)) _exit(9);
}

static pid_t child(int error) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  static char space[4096];
  int answer = syscall(SYS_uname, space) < 0 ? errno : 0;
  _exit(answer != error);
}

static void end(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  if (status != 0) __sync_fetch_and_add(&wrong, 1);
}

static void *work(void *number) {
  int error = (long)number == 0 ? 0 : 100 + (int)(long)number;
  if (error != 0) install(error);
  for (int i = 0; i < CHILDREN; i++) end(child(error));
  return 0;
}

int main(void) {
  pthread_t threads[THREADS];
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], 0, work, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], 0);
  for (int i = 0; i < CHILDREN; i++) {
    pid_t before = child(i == 0 ? 0 : 99 + i % 2);
    install(100 - i % 2);
    pid_t after = child(100 - i % 2);
    end(before);
    end(after);
  }
  printf("wrong %d\n", wrong);
  return 0;
}
