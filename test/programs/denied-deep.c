// Makes calls that a policy denies, each asked for by a function by_CALL, through whatever the C library and the kernel call back by.
#define _GNU_SOURCE
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))
typedef int compare(const void *, const void *);
static volatile int sink;

static const char *two[] = {"/nowhere/a", "/nowhere/b"};

// Deep inside, in a frame of the C library's own.
APART int by_mkdir(int depth) {
  char name[] = "/nowhere/XXXXXX";
  if (depth == 0) sink += mkdtemp(name) == NULL;
  else by_mkdir(depth - 1);
  return sink++ + name[9];
}
// The C library is all there is between the function and the call.
APART void by_rmdir(void) { qsort(two, 2, sizeof *two, (compare *)rmdir); sink++; }
APART int by_unlink(const void *a, const void *b) { sink += unlink(*(char **)a); return b != NULL; }
APART void *by_symlink(void *nothing) { sink += symlink("/nowhere/a", "/nowhere/b"); return nothing; }
APART void by_link(int number) { sink += link("/nowhere/a", "/nowhere/b") + number; }
// The handler is the call's wrapper itself.
APART void by_chdir(void) { signal(SIGUSR2, (sighandler_t)chdir); raise(SIGUSR2); sink++; }
APART void by_sync(int number) { sync(); sink += number; }
APART void by_getppid(void) { sink += getppid(); }
// The frame has a size that is known at run time only.
APART void by_rename(int size) { char *name = alloca(size); memset(name, 'a', size); name[size - 1] = 0; sink += rename(name, name); }
APART void by_umask(void) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_umask), "D"(022) : "rcx", "r11", "memory");
  sink += result;
}

static void on_own_stack(void) {
  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  struct sigaction action = {.sa_handler = by_sync, .sa_flags = SA_ONSTACK};
  sigaltstack(&stack, NULL);
  sigaction(SIGUSR1, &action, NULL);
  raise(SIGUSR1);
}

int main(int count, char **words) {
  pthread_t thread;
  atexit(by_getppid);
  by_mkdir(40);
  by_rmdir();
  qsort(two, 2, sizeof *two, by_unlink);
  pthread_create(&thread, NULL, by_symlink, NULL);
  pthread_join(thread, NULL);
  signal(SIGUSR1, by_link);
  raise(SIGUSR1);
  on_own_stack();
  by_chdir();
  by_rename(count * 100);
  by_umask();
#ifdef PLUGIN
  void *plugin = dlopen(words[1], RTLD_NOW);
  if (plugin == NULL) return 9;
  ((void (*)(void))dlsym(plugin, "by_chmod"))();
#endif
  return words == NULL;
}
