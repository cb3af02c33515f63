// Makes calls that a policy denies, each once, through the C library.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/file.h>
#include <unistd.h>

int main(void) {
  mkdir("/nowhere/a", 0700);
  rmdir("/nowhere/a");
  unlink("/nowhere/a");
  rename("/nowhere/a", "/nowhere/b");
  link("/nowhere/a", "/nowhere/b");
  symlink("/nowhere/a", "/nowhere/b");
  chmod("/nowhere/a", 0700);
  chdir("/nowhere");
  getppid();
  socket(AF_INET, SOCK_STREAM, 0);
  umask(022);
  truncate("/nowhere/a", 1);
  sync();
  chroot("/nowhere");
  flock(99, LOCK_EX);
  listen(99, 1);
  return 0;
}
