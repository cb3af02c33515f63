/* What programs ask a C library for and what it does by files, sockets and processes: kinds nss, dlopen or children. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Lookups by the name service switch: its libraries, its sockets to nscd, its files. */
static void nss(void) {
  struct passwd *user = getpwuid(0);
  struct group *group = getgrgid(0);
  struct servent *service = getservbyname("http", "tcp");
  struct addrinfo *addresses = NULL;
  gid_t groups[64];
  int count = 64;
  int code = getaddrinfo("localhost", "80", NULL, &addresses);
  getgrouplist("root", 0, groups, &count);
  printf("%s %s %s %d %s\n", user ? user->pw_name : "-", group ? group->gr_name : "-", service ? service->s_name : "-", code,
         getpwnam("nobody at all") ? "?" : "-");
}

/* A library that is there, one of the name service, and one that is not. */
static void libraries(void) {
  void *math = dlopen("libm.so.6", RTLD_LAZY);
  double (*cosine)(double) = math ? (double (*)(double))dlsym(math, "cos") : NULL;
  void *missing = dlopen("libnot-there.so", RTLD_NOW);
  printf("%g %s\n", cosine ? cosine(0) : -1, missing ? "?" : "missing");
  if (math) dlclose(math);
}

/* Children by fork, vfork, posix_spawn, system and popen. */
static void children(void) {
  char line[64] = "", *words[] = {"true", NULL};
  int status = 0, all = 0, ends[2];
  pid_t child;
  if (pipe(ends) != 0) exit(7);
  if ((child = fork()) == 0) {
    write(ends[1], "child\n", 6);
    _exit(3);
  }
  waitpid(child, &status, 0);
  all += WEXITSTATUS(status);
  read(ends[0], line, sizeof line - 1);
  if ((child = vfork()) == 0) {
    execv("/bin/true", words);
    _exit(9);
  }
  waitpid(child, &status, 0);
  all += WEXITSTATUS(status);
  if (posix_spawn(&child, "/bin/true", NULL, NULL, words, environ) == 0) waitpid(child, &status, 0);
  all += WEXITSTATUS(status) + WEXITSTATUS(system("exit 4"));
  FILE *output = popen("echo from a pipe", "r");
  if (output && fgets(line, sizeof line, output)) fputs(line, stdout);
  if (output) pclose(output);
  printf("%d\n", all);
  if (all != 7) exit(8);
}

int main(int count, char **words) {
  const char *kind = count > 1 ? words[1] : "";
  if (strcmp(kind, "nss") == 0) nss();
  if (strcmp(kind, "dlopen") == 0) libraries();
  if (strcmp(kind, "children") == 0) children();
  return 0;
}
