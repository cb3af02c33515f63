// Compiles a filter by libseccomp. Usage: libseccomp-peer PROGRAM LEVEL REPEATS < LINES
//   PROGRAM  where the program is written, as struct sock_filter records
//   LEVEL    SCMP_FLTATR_CTL_OPTIMIZE: 1 = by priority, 2 = a binary tree
//   REPEATS  how often everything is made anew, for the time
//   LINES    filter DEFAULT BADARCH                         actions as SECCOMP_RET_* with data, all numbers hexadecimal
//            arch TOKEN                                     SCMP_ARCH_*: what follows is for this one
//            rule ACTION NUMBER [ARGUMENT OPERATOR A B]...  the arch's own number; OPERATOR is enum scmp_compare
// Prints {"version": "2.5.4", "ns": median of a whole compilation, from seccomp_init to seccomp_release}.
// libseccomp takes the numbers of the native arch and translates them by name. So each arch gets a context of its own, rules are added
// with the native number (or pseudo number) of the call's name, and the contexts are merged.
#define _GNU_SOURCE
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MOST_LINES = 1 << 16, MOST_ARCHES = 8 };

struct line {
  uint32_t arch, action;
  int number;
  unsigned comparisons;
  struct scmp_arg_cmp by[6];
};

static uint32_t default_action, bad_arch;
static struct line lines[MOST_LINES];
static int count;

static void fail(const char *what, int line, int error) {
  fprintf(stderr, "%s, line %d: %s\n", what, line, strerror(error < 0 ? -error : error));
  exit(1);
}

static int native_number(uint32_t arch, int number, int line) {
  if (arch == seccomp_arch_native()) return number;
  char *name = seccomp_syscall_resolve_num_arch(arch, number);
  int native = name ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;
  if (native == __NR_SCMP_ERROR) fail("a number that libseccomp has no name for", line, 22);
  free(name);
  return native;
}

static void read_rule(struct line *rule, const char *text, int at) {
  int used = 0;
  unsigned number;
  if (sscanf(text, "%x %x%n", &rule->action, &number, &used) != 2) fail("bad rule", at, 22);
  rule->number = native_number(rule->arch, number, at);
  text += used;
  unsigned argument, operator;
  unsigned long long a, b;
  while (sscanf(text, "%x %x %llx %llx%n", &argument, &operator, &a, &b, &used) == 4) {
    if (rule->comparisons == 6) fail("too many comparisons", at, 22);
    rule->by[rule->comparisons++] = (struct scmp_arg_cmp){argument, operator, a, b};
    text += used;
  }
}

// A line with the number -1 opens an arch.
static void read_lines(void) {
  char text[1024];
  uint32_t arch = 0;
  for (int at = 1; fgets(text, sizeof text, stdin); at++) {
    if (count == MOST_LINES) fail("too many lines", at, 22);
    struct line *line = &lines[count];
    if (sscanf(text, "filter %x %x", &default_action, &bad_arch) == 2) continue;
    if (sscanf(text, "arch %x", &arch) == 1) line->number = -1;
    line->arch = arch;
    if (strncmp(text, "rule ", 5) == 0) read_rule(line, text + 5, at);
    count++;
  }
}

static scmp_filter_ctx open_arch(uint32_t arch, int level, int at) {
  scmp_filter_ctx filter = seccomp_init(default_action);
  if (!filter) fail("seccomp_init", at, 22);
  int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, bad_arch);
  if (!rc) rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, level);
  if (!rc && arch != seccomp_arch_native()) rc = seccomp_arch_add(filter, arch);
  if (!rc && arch != seccomp_arch_native()) rc = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
  if (rc) fail("opening an arch", at, rc);
  return filter;
}

static void compile(int output, int level) {
  scmp_filter_ctx filters[MOST_ARCHES] = {NULL};
  int arches = 0;
  for (int at = 0; at < count; at++) {
    struct line *line = &lines[at];
    if (line->number == -1) {
      if (arches == MOST_ARCHES) fail("too many arches", at + 2, 22);
      filters[arches++] = open_arch(line->arch, level, at + 2);
      continue;
    }
    int rc = seccomp_rule_add_exact_array(filters[arches - 1], line->action, line->number, line->comparisons, line->by);
    if (rc) fail("seccomp_rule_add_exact", at + 2, rc);
  }
  // seccomp_merge releases what it takes in.
  for (int other = 1; other < arches; other++) {
    int rc = seccomp_merge(filters[0], filters[other]);
    if (rc) fail("seccomp_merge", other, rc);
  }
  int rc = seccomp_export_bpf(filters[0], output);
  if (rc) fail("seccomp_export_bpf", 0, rc);
  seccomp_release(filters[0]);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int compare(const void *left, const void *right) {
  long a = *(const long *)left, b = *(const long *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  int level = atoi(argv[2]), repeats = atoi(argv[3]);
  // All actions, whatever the running kernel has.
  if (seccomp_api_set(6)) return 3;
  read_lines();
  int memory = memfd_create("program", MFD_CLOEXEC);
  long *times = calloc(repeats, sizeof *times);
  for (int i = 0; i < repeats; i++) {
    if (ftruncate(memory, 0) || lseek(memory, 0, SEEK_SET)) return 4;
    long start = now();
    compile(memory, level);
    times[i] = now() - start;
  }
  qsort(times, repeats, sizeof *times, compare);
  off_t size = lseek(memory, 0, SEEK_END);
  void *program = mmap(NULL, size, PROT_READ, MAP_SHARED, memory, 0);
  FILE *file = fopen(argv[1], "w");
  if (!file || fwrite(program, 1, size, file) != (size_t)size || fclose(file)) return 5;
  const struct scmp_version *version = seccomp_version();
  printf("{\"version\": \"%u.%u.%u\", \"ns\": %ld}\n", version->major, version->minor, version->micro, times[repeats / 2]);
  return 0;
}
