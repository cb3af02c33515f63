// Makes system calls of a dozen kinds as fast as it can for so many seconds, and a child every 50,000 of them.
//
//     busy SECONDS
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
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
    if (round % 1000 == 0) {
      pid_t child = fork();
      if (child == 0) execl("/bin/true", "true", (char *)NULL);
      waitpid(child, NULL, 0);
    }
  }
  return 0;
}
