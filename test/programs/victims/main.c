#include "victims.h"

void pause_ms(int ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
  while (nanosleep(&time, &time) && errno == EINTR) {}
}

// A call that nothing else here makes.
void calls(int count) {
  for (int i = 0; i < count; i++) syscall(SYS_getppid);
}

void reap(void) {
  while (wait(0) > 0 || errno == EINTR) {}
}

int install(unsigned nr, unsigned action, unsigned flags) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
                               BPF_STMT(BPF_RET | BPF_K, action), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {4, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

// victims NAME; without one, the names.
int main(int argc, char **argv) {
  const struct victim *const groups[] = {processes, signals, others};
  for (int group = 0; group < 3; group++)
    for (const struct victim *victim = groups[group]; victim->name; victim++) {
      if (argc < 2) puts(victim->name);
      else if (!strcmp(victim->name, argv[1])) {
        victim->run();
        return 0;
      }
    }
  return argc >= 2;
}
