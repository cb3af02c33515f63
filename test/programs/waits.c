// Waits in a call, behind frames of the kind that its argument names.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))
static volatile int sink;

APART void leaf(void) { pause(); sink++; }
APART int deep(int depth) {
  if (depth == 0) leaf();
  else deep(depth - 1);
  return ++sink;
}
// Finds its frame by rbp, which the frames inside do not save.
APART int sized(int size) {
  char bytes[size];
  memset(bytes, size, sizeof bytes);
  leaf();
  return sink += bytes[3];
}
APART int compare(const void *a, const void *b) { return deep(3) + (a == b); }
APART void handler(int number) { sink += deep(2) + number; }
APART void *start(void *nothing) { deep(4); return nothing; }

static void catch_signal(int number, int flags) {
  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaltstack(&stack, NULL);
  sigaction(number, &action, NULL);
}

int main(int count, char **words) {
  const char *kind = words[count - 1];
  int numbers[] = {3, 1, 2};
  pthread_t thread;
  if (strcmp(kind, "deep") == 0) deep(30);
  if (strcmp(kind, "sized") == 0) sized(50 * count);
  if (strcmp(kind, "callback") == 0) qsort(numbers, 3, sizeof *numbers, compare);
  if (strcmp(kind, "thread") == 0) {
    pthread_create(&thread, NULL, start, NULL);
    pthread_join(thread, NULL);
  }
  if (strcmp(kind, "signal") == 0) catch_signal(SIGUSR1, 0), raise(SIGUSR1);
  if (strcmp(kind, "own-stack") == 0) catch_signal(SIGUSR1, SA_ONSTACK), raise(SIGUSR1);
  // Interrupted anywhere, not in a call.
  if (strcmp(kind, "interrupted") == 0) {
    catch_signal(SIGALRM, 0);
    ualarm(1000, 0);
    for (;;) sink++;
  }
  return 0;
}
