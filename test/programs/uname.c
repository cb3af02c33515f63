/* Says what uname(2) answers; exits with 7, or 8 when it was refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

int main(int argc, char **argv) {
  struct utsname name;
  int refused = uname(&name) != 0;
  printf("uname: %s, %d arguments, last %s\n", refused ? strerror(errno) : "answered", argc, argv[argc - 1]);
  return refused ? 8 : 7;
}
