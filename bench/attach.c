/*
 * How long the seccomp(2) call takes that installs a filter: each time in a new child, the filters interleaved. Prints one JSON line per
 * filter: {"file": ..., "ns": median}.
 *     attach ROUNDS FILE...                 files of struct sock_filter
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static struct sock_fprog read_program(const char *path) {
  struct sock_filter *program = malloc(4096 * sizeof *program);
  int fd = open(path, O_RDONLY);
  long size = fd < 0 ? 0 : read(fd, program, 4096 * sizeof *program);
  if (size <= 0) exit(2);
  close(fd);
  return (struct sock_fprog){size / sizeof *program, program};
}

// Ends by SIGILL: the filter may refuse exit_group.
static void attach(struct sock_fprog *filter, long *result) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  long start = now();
  long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter);
  long end = now();
  *result = rc ? -1 : end - start;
  __builtin_trap();
}

static int compare(const void *left, const void *right) {
  long a = *(const long *)left, b = *(const long *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int rounds = atoi(argv[1]), files = argc - 2;
  struct sock_fprog filters[files];
  for (int i = 0; i < files; i++) filters[i] = read_program(argv[2 + i]);
  prctl(PR_SET_DUMPABLE, 0);
  long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  long *times = malloc(sizeof *times * rounds * files);
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < files; i++) {
      // Each file comes first as often as any other.
      int file = (i + round) % files;
      pid_t child = fork();
      if (child == 0) attach(&filters[file], shared);
      waitpid(child, NULL, 0);
      if (*shared < 0) return 3;
      times[file * rounds + round] = *shared;
    }
  for (int file = 0; file < files; file++) {
    qsort(times + file * rounds, rounds, sizeof *times, compare);
    printf("{\"file\": \"%s\", \"ns\": %ld}\n", argv[2 + file], times[file * rounds + rounds / 2]);
  }
  return 0;
}
