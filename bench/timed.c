// Runs a command so many times, its output thrown away, and appends each wall time in ns to a file: fork to the end of the child, as a
// shell would start it. The observer sees it all, and is not in the times.
//
//     timed RUNS FILE COMMAND...
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
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
    long begin = now();
    if (posix_spawnp(&child, argv[3], &actions, NULL, argv + 3, environ) != 0) return 1;
    if (waitpid(child, &status, 0) != child || status != 0) return 1;
    fprintf(file, "%ld\n", now() - begin);
  }
  return fclose(file);
}
