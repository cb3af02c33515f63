/*
 * Installs filters in the ways that its words name and prints after each what the kernel answered: the result, or -errno.
 *   seccomp prctl tsync listener flags bad short null unreadable   an installation; `flags` has one that no kernel knows, `bad` a program
 *                                                          that jumps out of itself, `short` none, `null` no struct, `unreadable` no program
 *   int80                            the same through the i386 entry, with a struct of 32 bits
 *   strict-uname                     a second filter, which answers EXDEV to uname
 *   kill trap trap-caught thread-kill  a filter whose answer to uname is that, then uname
 *   uname mode                       calls: uname, prctl(PR_GET_SECCOMP)
 *   thread-before                    a thread that was there before the filter calls uname
 *   thread-after fork exec           a thread, a child, this program again: call uname
 *   thread-dies                      a thread under such a filter calls uname; the others live on
 *   wait                             for a signal
 *   diverge                          a thread installs a filter for itself alone; then `tsync` names that thread
 * The first filter answers EDOM to uname.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static struct sock_filter *program, *denying, *jumping, *killing, *trapping, *ending;
static long diverged;
static sem_t go, done;

static struct sock_filter *make(char *memory, unsigned action, int jump) {
  struct sock_filter rows[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sizeof(long) == 8 ? 63 : 122, 0, jump),
    BPF_STMT(BPF_RET | BPF_K, action),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return memcpy(memory, rows, sizeof rows);
}

static long answered(long result) { return result < 0 ? -errno : result; }

static long install(struct sock_filter *rows, int flags) {
  struct sock_fprog filter = {4, rows};
  return answered(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter));
}

static long call_uname(void) {
  static char space[4096];
  return answered(syscall(SYS_uname, space));
}

static void *thread(void *unused) {
  sem_wait(&go);
  printf("thread %ld\n", call_uname());
  sem_post(&done);
  return unused;
}

static void *diverging(void *unused) {
  diverged = syscall(SYS_gettid);
  long installed = install(denying, 0);
  printf("own %ld %ld\n", installed, call_uname());
  sem_post(&done);
  for (;;) pause();
  return unused;
}

static void *dying(void *unused) {
  sem_post(&done);
  install(ending, 0);
  call_uname();
  printf("still there\n");
  return unused;
}

static void on_trap(int signal, siginfo_t *info, void *context) {
#ifdef __x86_64__
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  printf("%d %d %d %x %d %d %lld\n", signal, info->si_code, info->si_errno, info->si_arch, info->si_syscall,
         (long long)info->si_call_addr == registers[REG_RIP], registers[REG_RAX]);
#else
  (void)context;
  printf("%d %d %d %x %d\n", signal, info->si_code, info->si_errno, info->si_arch, info->si_syscall);
#endif
}

static long by_int80(char *low) {
#ifdef __x86_64__
  struct { uint16_t count, padding; uint32_t rows; } *filter = (void *)low;
  filter->count = 4;
  filter->rows = (uint32_t)(uintptr_t)program;
  int result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(354), "b"(SECCOMP_SET_MODE_FILTER), "c"(0), "d"(low) : "memory");
  return result;
#else
  return (void)low, 0;
#endif
}

static void run(const char *word, char **argv, char *low) {
  struct sock_fprog filter = {4, program}, empty = {0, program}, lost = {4, (void *)8};
  long result = 0;
  if (!strcmp(word, "seccomp")) result = install(program, 0);
  else if (!strcmp(word, "strict-uname")) result = install(denying, 0);
  else if (!strcmp(word, "prctl")) result = answered(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
  else if (!strcmp(word, "tsync")) result = install(program, SECCOMP_FILTER_FLAG_TSYNC);
  else if (!strcmp(word, "listener")) result = install(program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  else if (!strcmp(word, "flags")) result = install(program, 1 << 20);
  else if (!strcmp(word, "bad")) result = install(jumping, 0);
  else if (!strcmp(word, "short")) result = answered(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &empty));
  else if (!strcmp(word, "null")) result = answered(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0));
  else if (!strcmp(word, "unreadable")) result = answered(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &lost));
  else if (!strcmp(word, "int80")) result = by_int80(low);
  else if (!strcmp(word, "uname")) result = call_uname();
  else if (!strcmp(word, "mode")) result = answered(prctl(PR_GET_SECCOMP));
  else if (!strcmp(word, "kill")) result = install(killing, 0), call_uname();
  else if (!strcmp(word, "thread-kill")) result = install(ending, 0), call_uname();
  else if (!strcmp(word, "trap")) result = install(trapping, 0), call_uname();
  else if (!strcmp(word, "trap-caught")) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, 0);
    result = install(trapping, 0), call_uname();
  } else if (!strcmp(word, "thread-after") || !strcmp(word, "thread-before")) {
    pthread_t other;
    if (word[7] == 'a' || !diverged) pthread_create(&other, 0, thread, 0);
    if (word[7] == 'b') { diverged = 1; return; }
    sem_post(&go);
    sem_wait(&done);
  } else if (!strcmp(word, "wait")) {
    for (;;) pause();
  } else if (!strcmp(word, "go")) sem_post(&go), sem_wait(&done);
  else if (!strcmp(word, "diverge")) {
    pthread_t other;
    pthread_create(&other, 0, diverging, 0);
    sem_wait(&done);
  } else if (!strcmp(word, "thread-dies")) {
    pthread_t other;
    pthread_create(&other, 0, dying, 0);
    sem_wait(&done);
    usleep(200000);
    result = call_uname();
  } else if (!strcmp(word, "fork")) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { printf("child %ld\n", call_uname()); fflush(stdout); _exit(0); }
    waitpid(child, &status, 0);
    result = status;
  } else if (!strcmp(word, "exec")) {
    fflush(stdout);
    execl("/proc/self/exe", argv[0], "uname", (char *)0);
  }
  if (!strcmp(word, "tsync") && diverged > 1 && result == diverged) printf("tsync names the other thread\n");
  else printf("%s %ld\n", word, result);
  fflush(stdout);
}

int main(int argc, char **argv) {
#ifdef __x86_64__
  char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
#else
  char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
  program = make(low + 64, SECCOMP_RET_ERRNO | EDOM, 1);
  denying = make(low + 128, SECCOMP_RET_ERRNO | EXDEV, 1);
  jumping = make(low + 192, SECCOMP_RET_ERRNO | EXDEV, 200);
  killing = make(low + 256, SECCOMP_RET_KILL_PROCESS, 1);
  trapping = make(low + 320, SECCOMP_RET_TRAP | 77, 1);
  ending = make(low + 384, SECCOMP_RET_KILL_THREAD, 1);
  sem_init(&go, 0, 0);
  sem_init(&done, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (int index = 1; index < argc; index++) run(argv[index], argv, low);
  fflush(stdout);
  syscall(SYS_exit_group, 0);
}
