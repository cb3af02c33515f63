// Runs a command so many times, its output thrown away, and appends to a file, in ns, each wall time, from fork to the end of the child as a
// shell would start it, and the processor time of it and its children, which others on the machine disturb less. The observer sees it all, and is not in the times.
//
//     timed RUNS FILE COMMAND...
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static long used(void) {
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000L + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000L;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  FILE *file = fopen(argv[2], "a");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  for (int run = atoi(argv[1]); run > 0; run--) {
    pid_t child;
    int status;
    long before = used(), begin = now();
    if (posix_spawnp(&child, argv[3], &actions, NULL, argv + 3, environ) != 0) return 1;
    if (waitpid(child, &status, 0) != child || status != 0) return 1;
    long end = now();
    fprintf(file, "%ld %ld\n", end - begin, used() - before);
  }
  return fclose(file);
}
