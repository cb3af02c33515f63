/*
 * A constructor starts a thread; with an argument the thread first takes a filter of its own. main says what uname(2) answers there
 * and here: exits with 8 when both were refused.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static atomic_int ready, go, there;

static void *thread(void *own) {
  struct utsname name;
  if (own) {
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {1, &allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
  }
  ready = 1;
  while (!go) usleep(1000);
  there = uname(&name) == 0 ? 1 : 2;
  return NULL;
}

__attribute__((constructor)) static void begin(int argc, char **argv) {
  pthread_t id;
  pthread_create(&id, NULL, thread, argc > 1 ? argv[0] : NULL);
  while (!ready) usleep(1000);
}

int main(void) {
  struct utsname name;
  int here = uname(&name) == 0 ? 1 : 2;
  go = 1;
  while (!there) usleep(1000);
  printf("thread %s, main %s\n", there == 2 ? "refused" : "answered", here == 2 ? "refused" : "answered");
  return here == 2 && there == 2 ? 8 : 7;
}
