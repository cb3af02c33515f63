/* What a C library does of its own: stress WAY. Says "done" where it comes to its end. */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int turn;

static void *work(void *number) {
  char *blocks[64];
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 64; i++) memset(blocks[i] = malloc(1000 << (i % 12)), i, 1000);
    for (int i = 0; i < 64; i++) free(blocks[i]);
  }
  pthread_mutex_lock(&lock);
  turn++;
  pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&lock);
  return number;
}

static void *wait_forever(void *number) {
  pthread_mutex_lock(&lock);
  pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &lock);
  for (;;) pthread_cond_wait(&wake, &lock);
  pthread_cleanup_pop(1);
  return number;
}

static void threads(void) {
  pthread_t all[16], waiting;
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 16; i++) pthread_create(&all[i], NULL, work, NULL);
    pthread_mutex_lock(&lock);
    while (turn < 8) pthread_cond_wait(&wake, &lock);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 16; i++) pthread_join(all[i], NULL);
  }
  pthread_create(&waiting, NULL, wait_forever, NULL);
  pthread_cancel(waiting);
  pthread_join(waiting, NULL);
  pthread_attr_t attributes;
  void *stack;
  size_t size;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack, &size);
}

static void blocks(void) {
  char *one = malloc(10);
  for (size_t size = 10; size < (64u << 20); size *= 3) one = realloc(one, size);
  one = realloc(one, 100);
  char *many[4000];
  for (int i = 0; i < 4000; i++) memset(many[i] = malloc(3000), 1, 3000);
  for (int i = 0; i < 4000; i++) free(many[i]);
  free(aligned_alloc(1 << 21, 1 << 22));
  free(calloc(1000, 5000));
  free(one);
}

static void locales(void) {
  setlocale(LC_ALL, "");
  wchar_t wide[64];
  mbstowcs(wide, "h\xc3\xa4user", 64);
  time_t now = time(NULL);
  struct tm *parts = localtime(&now);
  char text[200];
  strftime(text, sizeof text, "%c %Z", parts);
  printf("%s %s %'d %ls\n", text, strerror(ENOENT), 1234567, wide);
}

static void stdio(void) {
  setvbuf(stderr, NULL, _IOFBF, 100);
  for (int i = 0; i < 3000; i++) printf("line %d\n", i);
  fprintf(stderr, "to stderr\n");
  int byte = getchar();
  ungetc(byte, stdin);
  perror("perror");
}

static void handler(int number) { (void)number; }

static void times(void) {
  signal(SIGALRM, handler);
  struct timespec now, pause = {0, 20000000};
  for (int clock = 0; clock < 12; clock++) clock_gettime(clock, &now);
  nanosleep(&pause, NULL);
}

int main(int argc, char **argv) {
  const char *way = argc > 1 ? argv[1] : "";
  if (!strcmp(way, "threads")) threads();
  if (!strcmp(way, "blocks")) blocks();
  if (!strcmp(way, "locales")) locales();
  if (!strcmp(way, "stdio")) stdio();
  if (!strcmp(way, "times")) times();
  if (!strcmp(way, "abort")) abort();
  if (!strcmp(way, "assert")) assert(argc > 5);
  if (!strcmp(way, "exit")) exit(3);
  if (!strcmp(way, "_exit")) _exit(3);
  if (!strcmp(way, "quick")) quick_exit(3);
  if (!strcmp(way, "pthread_exit")) pthread_exit(NULL);
  if (!strcmp(way, "double")) {
    char *volatile block = malloc(100);
    free(block);
    free(block);
  }
  puts("done");
  return 0;
}
