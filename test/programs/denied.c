// Makes calls that a policy denies, each once, through the C library, by a function by_CALL.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/file.h>
#include <unistd.h>

static volatile int sink;
// The addition keeps the call from being the function's last jump, which would leave no frame.
#define BY(call, ...) __attribute__((noinline)) static void by_##call(void) { sink += call(__VA_ARGS__); }
BY(mkdir, "/nowhere/a", 0700)
BY(rmdir, "/nowhere/a")
BY(unlink, "/nowhere/a")
BY(rename, "/nowhere/a", "/nowhere/b")
BY(link, "/nowhere/a", "/nowhere/b")
BY(symlink, "/nowhere/a", "/nowhere/b")
BY(chmod, "/nowhere/a", 0700)
BY(chdir, "/nowhere")
BY(getppid)
BY(socket, AF_INET, SOCK_STREAM, 0)
BY(umask, 022)
BY(truncate, "/nowhere/a", 1)
__attribute__((noinline)) static void by_sync(void) { sync(); sink++; }
BY(chroot, "/nowhere")
BY(flock, 99, LOCK_EX)
BY(listen, 99, 1)

int main(void) {
  by_mkdir();
  by_rmdir();
  by_unlink();
  by_rename();
  by_link();
  by_symlink();
  by_chmod();
  by_chdir();
  by_getppid();
  by_socket();
  by_umask();
  by_truncate();
  by_sync();
  by_chroot();
  by_flock();
  by_listen();
  return 0;
}
