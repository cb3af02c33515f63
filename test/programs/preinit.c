/* One function before the entry, one behind it; each says what uname(2) answers. Exits with 7, or 8 when main's was refused. */
#include <stdio.h>
#include <sys/utsname.h>

static int early;

static void before(void) {
  struct utsname name;
  early = uname(&name) == 0;
}

__attribute__((section(".preinit_array"), used)) static void (*entry)(void) = before;

int main(void) {
  struct utsname name;
  int late = uname(&name) == 0;
  printf("early %d, late %d\n", early, late);
  return late ? 7 : 8;
}
