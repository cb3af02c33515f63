// Makes calls under a filter and writes down what the kernel answered. Usage: caller PROGRAM CALLS ANSWERS
//   PROGRAM  struct sock_filter records whose returns are all errnos, so that nothing ever executes
//   CALLS    records of { u32 how; u32 nr; u64 args[6]; }, how: 0 = syscall instruction, 1 = int $0x80
//   ANSWERS  as many s64, written by this program
// The caller is forked: it can make no call any more once the filter is on, so its parent watches a flag in shared memory and kills it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct call { uint32_t how, nr; uint64_t args[6]; };

static long native(uint32_t nr, const uint64_t *a) {
  long answer;
  register uint64_t r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall" : "=a"(answer) : "a"((uint64_t)nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return answer;
}

// rbp is the sixth argument; rbx is saved because a static program may keep something there.
static long compat(uint32_t nr, const uint64_t *a) {
  long answer;
  __asm__ volatile(
      "push %%rbx; push %%rbp; mov %1, %%r11; mov (%%r11), %%rbx; mov 8(%%r11), %%rcx; mov 16(%%r11), %%rdx;"
      "mov 24(%%r11), %%rsi; mov 32(%%r11), %%rdi; mov 40(%%r11), %%rbp; int $0x80; pop %%rbp; pop %%rbx"
      : "=a"(answer) : "r"(a), "a"((uint64_t)nr) : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
  return (int32_t)answer;
}

static void *map(const char *path, int prot, size_t *size) {
  int fd = open(path, prot == PROT_READ ? O_RDONLY : O_RDWR);
  struct stat stat;
  if (fd < 0 || fstat(fd, &stat)) exit(2);
  *size = stat.st_size;
  return mmap(0, stat.st_size, prot, MAP_SHARED, fd, 0);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  size_t program_size, calls_size, answers_size;
  struct sock_filter *program = map(argv[1], PROT_READ, &program_size);
  const struct call *calls = map(argv[2], PROT_READ, &calls_size);
  volatile int64_t *answers = map(argv[3], PROT_READ | PROT_WRITE, &answers_size);
  volatile int *done = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  size_t count = calls_size / sizeof *calls;
  pid_t child = fork();
  if (child == 0) {
    struct sock_fprog fprog = {program_size / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog)) _exit(3);
    for (size_t i = 0; i < count; i++)
      answers[i] = calls[i].how ? compat(calls[i].nr, calls[i].args) : native(calls[i].nr, calls[i].args);
    *done = 1;
    for (;;) ;
  }
  int status = 0;
  while (!*done) {
    if (waitpid(child, &status, WNOHANG) == child) return 4;
    usleep(1000);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return 0;
}
