// Threads, processes, executions.
#include "victims.h"

static void plain(void) { calls(1000); }

static void *some(void *p) { calls(100); return p; }

static void start(int count) {
  pthread_t threads[count];
  for (int i = 0; i < count; i++) pthread_create(threads + i, 0, some, 0);
  for (int i = 0; i < count; i++) pthread_join(threads[i], 0);
}
static void threads(void) { start(4); }
static void threads_many(void) { for (int i = 0; i < 10; i++) start(8); }

static void *late(void *p) { pause_ms(30); calls(3); return p; }
static void main_exits_first(void) { pthread_t t; pthread_create(&t, 0, late, 0); pthread_exit(0); }

static void *sleeper(void *p) { *(volatile int *)p = 1; pause(); return p; }
static void exit_over_threads(void) {
  volatile int is_there = 0;
  pthread_t t;
  pthread_create(&t, 0, sleeper, (void *)&is_there);
  while (!is_there) pause_ms(20);
  pause_ms(60);
  exit(0);
}

static void *executes(void *p) { execl("/bin/true", "true", (char *)0); return p; }
static void thread_execs(void) { pthread_t t; pthread_create(&t, 0, executes, 0); pthread_join(t, 0); pause(); }

static void *forks(void *p) { if (!fork()) { calls(2); _exit(0); } reap(); return p; }
static void thread_forks(void) { pthread_t t; pthread_create(&t, 0, forks, 0); pthread_join(t, 0); }

static void tree(void) { for (int i = 0; i < 3; i++) fork(); getpid(); syscall(SYS_getpid); reap(); }
static void orphan(void) { if (!fork()) { pause_ms(60); calls(3); } }
static void daemonises(void) { if (fork()) _exit(0); setsid(); if (fork()) _exit(0); pause_ms(60); calls(3); }
// A child that waits, and is about to when this returns.
static int waiting_child(void) {
  int fds[2], pid;
  char byte = 0;
  if (pipe(fds)) _exit(1);
  if (!(pid = fork())) { if (write(fds[1], &byte, 1) == 1) for (;;) pause(); }
  if (read(fds[0], &byte, 1) == 1) pause_ms(100);
  return pid;
}
static void killed_child(void) { kill(waiting_child(), SIGKILL); reap(); }
static void clone_parent(void) {
  int pid = fork();
  if (!pid) { if (!syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)) calls(2); _exit(0); }
  reap();
}
static void clone_files(void) { if (!syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0)) { calls(2); _exit(0); } reap(); }
static void clone_untraced(void) { if (!syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0)) { syscall(SYS_getpgid, 0); _exit(0); } reap(); }
static void clone_3(void) {
  unsigned long long args[11] = {0, 0, 0, 0, SIGCHLD};
  if (!syscall(435, args, 64)) { calls(2); _exit(0); }
  reap();
}
static int in_stack(void *p) { (void)p; calls(2); return 0; }
static char stack[65536] __attribute__((aligned(16)));
static void clone_memory(void) { clone(in_stack, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, 0); reap(); }
static void clone_failing(void) { syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0); syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0); }
static void pid_namespace(void) { unshare(CLONE_NEWPID); if (!fork()) { if (!fork()) { calls(2); _exit(0); } reap(); _exit(0); } reap(); }
static void mount_namespace(void) { unshare(CLONE_NEWNS); if (!fork()) execl("/bin/true", "true", (char *)0); reap(); }
static void user_namespace(void) { if (!unshare(CLONE_NEWUSER)) calls(1); if (!fork()) { calls(1); _exit(0); } reap(); }
static void forks_many(void) { for (int i = 0; i < 100; i++) if (!fork()) { calls(1); _exit(0); } reap(); }
static void fork_bomb_ends(void) { for (int i = 0; i < 8; i++) { if (fork()) { reap(); _exit(0); } calls(1); } }

static void exec_chain(void) { execl("/bin/sh", "sh", "-c", "exec env true", (char *)0); }
static void exec_fails(void) { execl("/nowhere", "x", (char *)0); execl("/", "x", (char *)0); calls(1); }
static void exec_at(void) { int fd = open("/bin/true", O_PATH | O_CLOEXEC); char *argv[] = {"true", 0}; syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH); }
static void exec_memory(void) {
  int from = open("/bin/true", O_RDONLY | O_CLOEXEC), to = syscall(SYS_memfd_create, "copy", 1 /* MFD_CLOEXEC */);
  char buffer[65536];
  for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;) if (write(to, buffer, n) != n) _exit(1);
  char *argv[] = {"true", 0};
  syscall(SYS_execveat, to, "", argv, environ, AT_EMPTY_PATH);
}
static void exec_itself(void) { if (getenv("AGAIN")) { calls(1); return; } setenv("AGAIN", "1", 1); execl("/proc/self/exe", "again", "exec_itself", (char *)0); }
static void exec_relative(void) { if (chdir("/bin")) _exit(1); execl("./true", "true", (char *)0); }
static void exec_many(void) { for (int i = 0; i < 20; i++) { if (!fork()) execl("/bin/true", "true", (char *)0); reap(); } }
static void exec_too_long(void) {
  static char word[1 << 18];
  memset(word, 'x', sizeof word - 1);
  execl("/bin/true", "true", word, (char *)0);
}
static void vforks(void) { if (!vfork()) { execl("/bin/true", "true", (char *)0); _exit(1); } reap(); }
static void vfork_exits(void) { if (!vfork()) _exit(0); reap(); }
static void vfork_fails(void) { if (!vfork()) { execl("/nowhere", "x", (char *)0); _exit(1); } reap(); }
static void spawns(void) { pid_t pid; char *argv[] = {"sh", "-c", "exit 3", 0}; posix_spawn(&pid, "/bin/sh", 0, 0, argv, environ); reap(); }
static void pipes(void) { if (system("echo a b | cat | wc -w >/dev/null")) _exit(1); }
static void waits(void) { siginfo_t info; if (!fork()) _exit(3); waitid(P_ALL, 0, &info, WEXITED | WNOWAIT); struct rusage usage; wait4(-1, 0, 0, &usage); }
static void exit_of_thread(void) { syscall(SYS_exit, 0); }
static void personality_exec(void) { syscall(SYS_personality, 0x0040000); execl("/bin/true", "true", (char *)0); }
static void pid_descriptor(void) { int fd = syscall(434, waiting_child(), 0); syscall(424, fd, SIGKILL, 0, 0); reap(); }

const struct victim processes[] = {
    {"plain", plain}, {"threads", threads}, {"threads_many", threads_many}, {"main_exits_first", main_exits_first},
    {"exit_over_threads", exit_over_threads}, {"thread_execs", thread_execs}, {"thread_forks", thread_forks}, {"tree", tree},
    {"orphan", orphan}, {"daemonises", daemonises}, {"killed_child", killed_child}, {"clone_parent", clone_parent},
    {"clone_files", clone_files}, {"clone_untraced", clone_untraced}, {"clone_3", clone_3}, {"clone_memory", clone_memory},
    {"clone_failing", clone_failing}, {"pid_namespace", pid_namespace}, {"mount_namespace", mount_namespace},
    {"user_namespace", user_namespace}, {"forks_many", forks_many}, {"fork_bomb_ends", fork_bomb_ends},
    {"exec_chain", exec_chain}, {"exec_fails", exec_fails}, {"exec_at", exec_at}, {"exec_memory", exec_memory},
    {"exec_itself", exec_itself}, {"exec_relative", exec_relative}, {"exec_many", exec_many}, {"exec_too_long", exec_too_long},
    {"vforks", vforks}, {"vfork_exits", vfork_exits}, {"vfork_fails", vfork_fails}, {"spawns", spawns}, {"pipes", pipes},
    {"waits", waits}, {"exit_of_thread", exit_of_thread}, {"personality_exec", personality_exec},
    {"pid_descriptor", pid_descriptor}, {0, 0}};
