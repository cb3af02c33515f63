// A library that is loaded at run time and makes a call that a policy denies.
#include <sys/stat.h>

volatile int result;
void by_chmod(void) { result = chmod("/nowhere/a", 0700); }
