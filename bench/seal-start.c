/*
 * Times what it takes to start and end: a program, its sealed copy, and the program under launchers, bwrap --seccomp, firejail and runc; and
 * the attaching of the filter alone. One run, interleaved; prints medians in microseconds as JSON.
 *     seal-start ROUNDS
 * in a folder with: program, sealed, the launchers exec, loader and simple, filter, and runc's bundle (config.json).
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

enum { PLAIN, SEALED, EXEC, LOADER, SIMPLE, BWRAP, FIREJAIL, RUNC, ATTACH, KINDS };

static const char *const names[KINDS] = {"program", "sealed", "exec", "loader", "simple", "bwrap", "firejail", "runc", "attach"};

/* What is asked once in SELDOM rounds: each takes as long as all others together. */
enum { SELDOM = 10 };
static int is_seldom(int kind) { return kind == FIREJAIL || kind == RUNC; }
static int is_ours(int kind) { return kind >= SEALED && kind <= SIMPLE; }

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void attach(double *result) {
  struct sock_filter program[4096];
  int fd = open("filter", O_RDONLY);
  long size = read(fd, program, sizeof program);
  struct sock_fprog filter = {size / sizeof *program, program};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  double start = now();
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0) _exit(1);
  *result = now() - start;
  _exit(0);
}

static void become(int kind, int round, double *result) {
  if (kind == ATTACH) attach(result);
  if (kind == BWRAP) {
    dup2(open("filter", O_RDONLY), 9);
    execlp("bwrap", "bwrap", "--dev-bind", "/", "/", "--seccomp", "9", "./program", NULL);
  }
  if (kind == FIREJAIL) {
    dup2(open("/dev/null", O_WRONLY), 2);
    execlp("firejail", "firejail", "--quiet", "--noprofile", "--seccomp", "./program", NULL);
  }
  if (kind == RUNC) {
    /* Each container has a name of its own. */
    static char name[64];
    snprintf(name, sizeof name, "selkie-bench-%d-%d", getppid(), round);
    execlp("runc", "runc", "run", name, NULL);
  }
  if (is_ours(kind) && kind != SEALED) execl(names[kind], names[kind], "./program", NULL);
  execl(names[kind], names[kind], NULL);
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
  if (argc != 2) return 2;
  int rounds = atoi(argv[1]);
  int counts[KINDS] = {0};
  double *times[KINDS], *added[KINDS];
  for (int kind = 0; kind < KINDS; kind++) {
    times[kind] = malloc(rounds * sizeof(double));
    added[kind] = malloc(rounds * sizeof(double));
  }
  double *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < rounds; round++) {
    /* In an order of its own each round: what ran just before warms or cools caches. */
    int order[KINDS];
    double took[KINDS];
    for (int kind = 0; kind < KINDS; kind++) order[kind] = kind;
    for (int last = KINDS - 1; last > 0; last--) {
      int other = random() % (last + 1), kept = order[last];
      order[last] = order[other];
      order[other] = kept;
    }
    for (int turn = 0; turn < KINDS; turn++) {
      int kind = order[turn];
      if (is_seldom(kind) && round % SELDOM != 0) continue;
      double start = now();
      /* vfork: the cost of copying this process is not what is asked for. become() never returns. */
      pid_t child = kind == ATTACH ? fork() : vfork();
      if (child == 0) become(kind, round, shared);
      int status;
      waitpid(child, &status, 0);
      took[kind] = kind == ATTACH ? *shared : now() - start;
      times[kind][counts[kind]++] = took[kind];
      if (status != 0) {
        fprintf(stderr, "%s ended with status %d\n", names[kind], status);
        return 1;
      }
    }
    for (int kind = 0; kind < KINDS; kind++)
      if (is_ours(kind)) added[kind][round] = took[kind] - took[PLAIN];
  }
  printf("{");
  for (int kind = 0; kind < KINDS; kind++) {
    printf("\"%s\": %.1f, ", names[kind], median(times[kind], counts[kind]));
    if (is_ours(kind))
      printf("\"%sAdded\": %.1f, ", names[kind], median(added[kind], rounds));
  }
  printf("\"rounds\": %d}\n", rounds);
  return 0;
}
