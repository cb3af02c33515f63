// Makes system calls of a dozen kinds as fast as it can for so many seconds, and a thread and a child that executes a program after so many
// rounds of some fifty.
//
//     busy SECONDS ROUNDS
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *call(void *nothing) {
  syscall(SYS_gettid);
  return nothing;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  time_t end = time(NULL) + atoi(argv[1]);
  long rounds = atol(argv[2]);
  pthread_t thread;
  struct stat status;
  for (long round = 1; time(NULL) < end; round++) {
    int file = open("/dev/null", O_RDWR);
    for (int each = 0; each < 10; each++) {
      syscall(SYS_getppid);
      syscall(SYS_getuid);
      if (write(file, "x", 1) != 1 || chdir("/nowhere") == 0) return 1;
    }
    fstat(file, &status);
    lseek(file, 0, SEEK_SET);
    close(file);
    if (round % rounds == 0) {
      if (pthread_create(&thread, NULL, call, NULL) != 0 || pthread_join(thread, NULL) != 0) return 1;
      pid_t child = fork();
      if (child == 0) execl("/bin/true", "true", (char *)NULL);
      waitpid(child, NULL, 0);
    }
  }
  return 0;
}
