/*
 * How long calls take under filters: each time in a new child, the filters interleaved. Prints one JSON line per filter and call:
 * {"file": ..., "call": ..., "ns": median per call, "answer": what the kernel answered}.
 *     calls ROUNDS BATCH CALL... -- FILE...
 *         CALL   NUMBER[,ARGUMENT...], decimal or 0x
 *         FILE   struct sock_filter records; "-" for no filter
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

struct call { long nr, args[6]; };
struct sample { double cycles; long answer; };

static long native(const struct call *call) {
  long answer;
  register long r10 __asm__("r10") = call->args[3], r8 __asm__("r8") = call->args[4], r9 __asm__("r9") = call->args[5];
  __asm__ volatile("syscall" : "=a"(answer)
                   : "a"(call->nr), "D"(call->args[0]), "S"(call->args[1]), "d"(call->args[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return answer;
}

// By the time stamp counter, because a filter may refuse clock_gettime.
static struct sample batch(const struct call *call, int times) {
  struct sample sample = {0, 0};
  for (int i = 0; i < times / 8; i++) native(call);
  unsigned long start = __rdtsc();
  for (int i = 0; i < times; i++) sample.answer = native(call);
  sample.cycles = (double)(__rdtsc() - start) / times;
  return sample;
}

static double cycles_per_ns(void) {
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  unsigned long begin = __rdtsc();
  usleep(200000);
  clock_gettime(CLOCK_MONOTONIC, &end);
  return (__rdtsc() - begin) / ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec));
}

static struct sock_fprog read_program(const char *path) {
  if (strcmp(path, "-") == 0) return (struct sock_fprog){0, NULL};
  struct sock_filter *program = malloc(4096 * sizeof *program);
  int fd = open(path, O_RDONLY);
  long size = fd < 0 ? 0 : read(fd, program, 4096 * sizeof *program);
  if (size <= 0) exit(2);
  close(fd);
  return (struct sock_fprog){size / sizeof *program, program};
}

static struct call read_call(const char *text) {
  char *end;
  struct call call = {strtol(text, &end, 0), {0}};
  for (int i = 0; i < 6 && *end == ','; i++) call.args[i] = strtoul(end + 1, &end, 0);
  if (*end) exit(2);
  return call;
}

// Ends by SIGILL: the filter may refuse exit_group. A child that the filter killed earlier leaves 0 cycles.
static void measure(struct sock_fprog *filter, const struct call *calls, int count, int times, struct sample *samples) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (filter->len && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter)) __builtin_trap();
  for (int i = 0; i < count; i++) samples[i] = batch(&calls[i], times);
  __builtin_trap();
}

static int compare(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  int split = 3;
  while (split < argc && strcmp(argv[split], "--")) split++;
  if (split >= argc - 1 || split == 3) return 2;
  int rounds = atoi(argv[1]), times = atoi(argv[2]), count = split - 3, files = argc - split - 1;
  struct sock_fprog filters[files];
  struct call calls[count];
  for (int i = 0; i < files; i++) filters[i] = read_program(argv[split + 1 + i]);
  for (int i = 0; i < count; i++) calls[i] = read_call(argv[3 + i]);
  prctl(PR_SET_DUMPABLE, 0);
  struct sample *shared = mmap(NULL, sizeof *shared * count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  double(*cycles)[count][rounds] = malloc(sizeof(double) * files * count * rounds);
  long answers[files][count];
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < files; i++) {
      int file = (i + round) % files;
      memset(shared, 0, sizeof *shared * count);
      pid_t child = fork();
      if (child == 0) measure(&filters[file], calls, count, times, shared);
      waitpid(child, NULL, 0);
      for (int call = 0; call < count; call++) {
        if (shared[call].cycles == 0) return 3;
        cycles[file][call][round] = shared[call].cycles;
        answers[file][call] = shared[call].answer;
      }
    }
  double per_ns = cycles_per_ns();
  for (int file = 0; file < files; file++)
    for (int call = 0; call < count; call++) {
      qsort(cycles[file][call], rounds, sizeof(double), compare);
      printf("{\"file\": \"%s\", \"call\": \"%s\", \"ns\": %.1f, \"answer\": %ld}\n", argv[split + 1 + file], argv[3 + call],
             cycles[file][call][rounds / 2] / per_ns, answers[file][call]);
    }
  return 0;
}
