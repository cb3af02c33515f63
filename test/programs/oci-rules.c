// Makes a filter with the system's libseccomp as runc does from a profile, and writes its BPF program to stdout. Lines on stdin:
//   default ACTION            first; actions are numbers, SCMP_ACT_* with their data
//   arch NAME                 libseccomp's name (x86, x32, arm, ...); "only NAME" takes the native one out instead
//   optimize LEVEL            SCMP_FLTATR_CTL_OPTIMIZE: 1 = by priority, 2 = a binary tree
//   rule ACTION NAME [INDEX OPERATOR A B]...   one rule; OPERATOR is that of enum scmp_compare
// On stderr, one line per rule that was not added: "unknown NAME" or "refused NAME ERRNO". With a number of repeats as its argument it makes
// the filter that often, and says "ns N": the median time from seccomp_init to the exported program.
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what, int code) {
  fprintf(stderr, "oci-rules: %s: %d\n", what, code);
  exit(2);
}

static void add_rule(scmp_filter_ctx ctx, char *rest) {
  struct scmp_arg_cmp conditions[6];
  unsigned count = 0;
  uint32_t action = strtoul(strtok(rest, " \n"), NULL, 0);
  char *name = strtok(NULL, " \n");
  for (char *index; (index = strtok(NULL, " \n")); count++) {
    conditions[count].arg = strtoul(index, NULL, 0);
    conditions[count].op = strtoul(strtok(NULL, " \n"), NULL, 0);
    conditions[count].datum_a = strtoull(strtok(NULL, " \n"), NULL, 0);
    conditions[count].datum_b = strtoull(strtok(NULL, " \n"), NULL, 0);
  }
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) {
    fprintf(stderr, "unknown %s\n", name);
    return;
  }
  int code = seccomp_rule_add_array(ctx, action, number, count, conditions);
  if (code != 0)
    fprintf(stderr, "refused %s %d\n", name, -code);
}

static void add_arch(scmp_filter_ctx ctx, char *name, int only) {
  uint32_t arch = seccomp_arch_resolve_name(name);
  if (arch == 0)
    fail(name, EINVAL);
  if (only && arch != seccomp_arch_native())
    seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
  int code = seccomp_arch_add(ctx, arch);
  if (code != 0 && code != -EEXIST)
    fail(name, code);
}

static scmp_filter_ctx make(const char *text) {
  scmp_filter_ctx ctx = NULL;
  char *lines = strdup(text), *end;
  for (char *line = lines; *line; line = end + 1) {
    end = strchr(line, '\n');
    *end = 0;
    char *rest = strchr(line, ' ');
    if (!rest)
      fail(line, EINVAL);
    *rest++ = 0;
    if (strcmp(line, "rule") == 0)
      add_rule(ctx, rest);
    else if (strcmp(line, "default") == 0)
      ctx = seccomp_init(strtoul(rest, NULL, 0));
    else if (strcmp(line, "optimize") == 0)
      seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, strtoul(rest, NULL, 0));
    else
      add_arch(ctx, rest, strcmp(line, "only") == 0);
    if (!ctx)
      fail("seccomp_init", EINVAL);
  }
  free(lines);
  return ctx;
}

static void export(scmp_filter_ctx ctx, int descriptor) {
  int code = seccomp_export_bpf(ctx, descriptor);
  if (code != 0)
    fail("seccomp_export_bpf", code);
}

static int by_size(const void *a, const void *b) {
  long left = *(const long *)a, right = *(const long *)b;
  return (left > right) - (left < right);
}

static void time_repeats(const char *text, int repeats) {
  long times[repeats];
  int nowhere = open("/dev/null", O_WRONLY);
  for (int i = 0; i < repeats; i++) {
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    scmp_filter_ctx ctx = make(text);
    export(ctx, nowhere);
    clock_gettime(CLOCK_MONOTONIC, &end);
    seccomp_release(ctx);
    times[i] = (end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec;
  }
  qsort(times, repeats, sizeof times[0], by_size);
  fprintf(stderr, "ns %ld\n", times[repeats / 2]);
}

int main(int argc, char **argv) {
  static char text[1 << 20];
  size_t size = fread(text, 1, sizeof text - 1, stdin);
  if (size == 0 || text[size - 1] != '\n')
    fail("standard input", EINVAL);
  export(make(text), STDOUT_FILENO);
  if (argc > 1)
    time_repeats(text, atoi(argv[1]));
  return 0;
}
