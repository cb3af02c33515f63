/*
 * Times what it takes to start and end: a program, its sealed copy, and the program under bwrap --seccomp; and the attaching of
 * the filter alone. One run, interleaved; prints medians in microseconds as JSON.
 *     seal-start ROUNDS PROGRAM SEALED FILTER
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

enum { PLAIN, SEALED, BWRAP, ATTACH, KINDS };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void attach(const char *path, double *result) {
  struct sock_filter program[4096];
  int fd = open(path, O_RDONLY);
  long size = read(fd, program, sizeof program);
  struct sock_fprog filter = {size / sizeof *program, program};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  double start = now();
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0) _exit(1);
  *result = now() - start;
  _exit(0);
}

static void become(int kind, char **argv, double *result) {
  if (kind == ATTACH) attach(argv[4], result);
  if (kind == BWRAP) {
    dup2(open(argv[4], O_RDONLY), 9);
    execlp("bwrap", "bwrap", "--dev-bind", "/", "/", "--seccomp", "9", argv[2], NULL);
  }
  execl(argv[kind == SEALED ? 3 : 2], "program", NULL);
  _exit(127);
}

static int compare(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static double median(double *values, int count) {
  qsort(values, count, sizeof *values, compare);
  return values[count / 2];
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int rounds = atoi(argv[1]);
  double *times[KINDS], *added = malloc(rounds * sizeof *added);
  for (int kind = 0; kind < KINDS; kind++) times[kind] = malloc(rounds * sizeof(double));
  double *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < rounds; round++) {
    /* In an order of its own each round: what ran just before warms or cools caches. */
    int order[KINDS] = {PLAIN, SEALED, BWRAP, ATTACH};
    for (int last = KINDS - 1; last > 0; last--) {
      int other = random() % (last + 1), kept = order[last];
      order[last] = order[other];
      order[other] = kept;
    }
    for (int turn = 0; turn < KINDS; turn++) {
      int kind = order[turn];
      double start = now();
      /* vfork: the cost of copying this process is not what is asked for. become() never returns. */
      pid_t child = kind == ATTACH ? fork() : vfork();
      if (child == 0) become(kind, argv, shared);
      int status;
      waitpid(child, &status, 0);
      times[kind][round] = kind == ATTACH ? *shared : now() - start;
      if (status != 0) {
        fprintf(stderr, "kind %d ended with status %d\n", kind, status);
        return 1;
      }
    }
    added[round] = times[SEALED][round] - times[PLAIN][round];
  }
  printf("{\"plain\": %.1f, \"sealed\": %.1f, ", median(times[PLAIN], rounds), median(times[SEALED], rounds));
  printf("\"bwrap\": %.1f, \"attach\": %.1f, ", median(times[BWRAP], rounds), median(times[ATTACH], rounds));
  printf("\"added\": %.1f}\n", median(added, rounds));
  return 0;
}
