// Makes a filter with the system's libseccomp as runc does from a profile, and writes its BPF program to stdout. Lines on stdin:
//   default ACTION            first; actions are numbers, SCMP_ACT_* with their data
//   arch NAME                 libseccomp's name (x86, x32, arm, ...); "only NAME" takes the native one out instead
//   rule ACTION NAME [INDEX OPERATOR A B]...   one rule; OPERATOR is that of enum scmp_compare
// On stderr, one line per rule that was not added: "unknown NAME" or "refused NAME ERRNO".
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(void) {
  scmp_filter_ctx ctx = NULL;
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    char *rest = strchr(line, ' ');
    if (!rest)
      fail(line, EINVAL);
    *rest++ = 0;
    if (strcmp(line, "rule") == 0) {
      add_rule(ctx, rest);
      continue;
    }
    rest[strcspn(rest, "\n")] = 0;
    if (strcmp(line, "default") == 0)
      ctx = seccomp_init(strtoul(rest, NULL, 0));
    else
      add_arch(ctx, rest, strcmp(line, "only") == 0);
    if (!ctx)
      fail("seccomp_init", EINVAL);
  }
  int code = seccomp_export_bpf(ctx, STDOUT_FILENO);
  if (code != 0)
    fail("seccomp_export_bpf", code);
  return 0;
}
