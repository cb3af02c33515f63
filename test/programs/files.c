/*
 * Does what its words say with files, and prints the errno of each, in one line:
 *     files read PATH rename FROM TO ...      see TABLE
 * Ends with 7.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int opened(const char *path, int flags) {
  int fd = open(path, flags, 0600);
  return fd < 0 ? -1 : close(fd);
}
static int do_read(char **words) { return opened(words[0], O_RDONLY); }
static int do_list(char **words) { return opened(words[0], O_RDONLY | O_DIRECTORY); }
static int do_write(char **words) { return opened(words[0], O_WRONLY); }
static int do_empty(char **words) { return opened(words[0], O_WRONLY | O_TRUNC); }
static int do_create(char **words) { return opened(words[0], O_WRONLY | O_CREAT | O_EXCL); }
static int do_unnamed(char **words) { return opened(words[0], O_WRONLY | O_TMPFILE); }
static int do_truncate(char **words) { return truncate(words[0], 0); }
static int do_mkdir(char **words) { return mkdir(words[0], 0700); }
static int do_rmdir(char **words) { return rmdir(words[0]); }
static int do_unlink(char **words) { return unlink(words[0]); }
static int do_rename(char **words) { return rename(words[0], words[1]); }
static int do_exchange(char **words) { return syscall(SYS_renameat2, AT_FDCWD, words[0], AT_FDCWD, words[1], 2); }
static int do_link(char **words) { return link(words[0], words[1]); }
static int do_symlink(char **words) { return symlink("x", words[0]); }
static int do_fifo(char **words) { return mknod(words[0], S_IFIFO | 0600, 0); }
static int do_device(char **words) { return mknod(words[0], S_IFCHR | 0600, makedev(1, 3)); }
static int do_block(char **words) { return mknod(words[0], S_IFBLK | 0600, makedev(7, 0)); }
static int do_stat(char **words) { return access(words[0], F_OK); }
static int do_mount(char **words) { return mount("none", words[0], "tmpfs", 0, NULL); }

/* Reads from a descriptor that is open already. */
static int do_inherited(char **words) {
  char byte;
  return read(atoi(words[0]), &byte, 1) < 0 ? -1 : 0;
}

static int do_socket(char **words) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, words[0], sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
}

static int do_ioctl(char **words) {
  int bits, fd = open(words[0], O_RDONLY);
  return fd < 0 ? -1 : ioctl(fd, 0x80045200 /* RNDGETENTCNT */, &bits);
}

/* In a child that shares our memory, so that its errno is ours. */
static int do_execute(char **words) {
  volatile int failure = 0;
  pid_t child = vfork();
  if (child == 0) {
    execv(words[0], (char *[]){words[0], NULL});
    failure = errno;
    _exit(0);
  }
  if (child < 0) return -1;
  waitpid(child, NULL, 0);
  errno = failure;
  return failure == 0 ? 0 : -1;
}

static const struct {
  const char *name;
  int (*make)(char **);
  int words;
} TABLE[] = {
  {"read", do_read, 1}, {"list", do_list, 1}, {"write", do_write, 1}, {"empty", do_empty, 1},
  {"create", do_create, 1}, {"unnamed", do_unnamed, 1}, {"truncate", do_truncate, 1}, {"mkdir", do_mkdir, 1},
  {"rmdir", do_rmdir, 1}, {"unlink", do_unlink, 1}, {"rename", do_rename, 2}, {"exchange", do_exchange, 2},
  {"link", do_link, 2}, {"symlink", do_symlink, 1}, {"fifo", do_fifo, 1}, {"device", do_device, 1},
  {"block", do_block, 1}, {"socket", do_socket, 1}, {"stat", do_stat, 1}, {"mount", do_mount, 1},
  {"inherited", do_inherited, 1}, {"ioctl", do_ioctl, 1}, {"execute", do_execute, 1},
};

int main(int argc, char **argv) {
  char line[4096];
  int length = 0;
  for (int index = 1; index < argc;) {
    size_t known = 0;
    while (known < sizeof TABLE / sizeof *TABLE && strcmp(TABLE[known].name, argv[index]) != 0) known++;
    if (known == sizeof TABLE / sizeof *TABLE) return 2;
    int result = TABLE[known].make(argv + index + 1);
    length += snprintf(line + length, sizeof line - length, "%d ", result < 0 ? errno : 0);
    index += 1 + TABLE[known].words;
  }
  line[length > 0 ? length - 1 : 0] = '\n';
  return write(1, line, length > 0 ? length : 1) > 0 ? 7 : 1;
}
