/* Needs no library, no loader and no program headers: asks uname(2), says what it answered, exits with 7, or 8 when it was refused. */
static long call(long number, long first, const void *second, long third) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
  return result;
}

static char name[6 * 65];
char ballast[BALLAST];

void _start(void) {
  int refused = call(63, (long)name, 0, 0) != 0;
  ballast[BALLAST - 1] = 1;
  call(1, 1, refused ? "refused \n" : "answered\n", 9);
  call(231, refused ? 8 : 7, 0, 0);
}
