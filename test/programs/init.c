/* Process 1 of a machine under test: runs every line of /cases (a label and words, between tabs) and prints
   "case LABEL WAIT-STATUS OUTPUT", the output in hexadecimal, between lines "begin" and "end". */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void run(char *line) {
  char *words[32];
  int count = 0;
  for (char *word = strtok(line, "\t"); word != NULL && count < 31; word = strtok(NULL, "\t")) words[count++] = word;
  words[count] = NULL;
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    int file = open("/output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(file, 1);
    dup2(file, 2);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    execv(words[1], words + 1);
    perror("execv");
    _exit(126);
  }
  waitpid(child, &status, 0);
  printf("case %s %d ", words[0], status);
  FILE *output = fopen("/output", "r");
  for (int byte; output != NULL && (byte = fgetc(output)) != EOF;) printf("%02x", byte);
  if (output != NULL) fclose(output);
  printf("\n");
}

int main(void) {
  mkdir("/dev", 0755);
  mkdir("/proc", 0755);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  mount("proc", "/proc", "proc", 0, NULL);
  setenv("PATH", "/usr/sbin:/usr/bin", 1);
  /* As udev does. Without it Debian's 5.10 refuses execveat(2) of descriptors: TOMOYO looks the name up. */
  if (symlink("/proc/self/fd", "/dev/fd") != 0) perror("symlink");
  /* AArch64's first: there ttyS0 exists too, with nothing behind it. */
  int console = open("/dev/ttyAMA0", O_RDWR | O_CLOEXEC);
  if (console < 0) console = open("/dev/ttyS0", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++) dup2(console, fd);
  printf("\nbegin\n");
  FILE *cases = fopen("/cases", "re");
  char line[4096];
  while (cases != NULL && fgets(line, sizeof line, cases) != NULL) {
    line[strcspn(line, "\n")] = 0;
    run(line);
  }
  printf("end\n");
  fflush(stdout);
  tcdrain(1);
  reboot(RB_POWER_OFF);
  return 0;
}
