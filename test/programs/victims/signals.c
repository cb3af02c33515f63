// Signals, job control, calls that wait.
#include "victims.h"

static volatile int hits;
static void hit(int s) { (void)s; hits++; }
static void handle(int signal, int flags) { struct sigaction action = {.sa_handler = hit, .sa_flags = flags}; sigaction(signal, &action, 0); }

static void raises(void) { handle(SIGUSR1, 0); for (int i = 0; i < 50; i++) raise(SIGUSR1); }
static void alarm_pauses(void) {
  sigset_t none, blocked;
  sigemptyset(&none); sigemptyset(&blocked); sigaddset(&blocked, SIGALRM);
  handle(SIGALRM, 0);
  sigprocmask(SIG_BLOCK, &blocked, 0);
  struct itimerval timer = {.it_value = {0, 20000}};
  setitimer(ITIMER_REAL, &timer, 0);
  sigsuspend(&none);
}
static void tick(int flags) {
  handle(SIGALRM, flags);
  struct itimerval timer = {{0, 5000}, {0, 5000}};
  setitimer(ITIMER_REAL, &timer, 0);
}
static void interrupted(void) { int fds[2]; char byte; tick(0); if (pipe(fds)) return; while (read(fds[0], &byte, 1) < 0 && errno == EINTR && hits < 5) {} }
static void *writes(void *p) { pause_ms(60); if (write(*(int *)p, "x", 1) != 1) _exit(1); return 0; }
static void restarted(void) {
  int fds[2]; char byte; pthread_t t; sigset_t set;
  if (pipe(fds)) return;
  sigemptyset(&set); sigaddset(&set, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &set, 0); pthread_create(&t, 0, writes, fds + 1); pthread_sigmask(SIG_UNBLOCK, &set, 0);
  tick(SA_RESTART);
  if (read(fds[0], &byte, 1) != 1) _exit(1);
  pthread_join(t, 0);
}
static void stops(void) {
  int status, pid = fork();
  if (!pid) { raise(SIGSTOP); calls(2); _exit(0); }
  waitpid(pid, &status, WUNTRACED); kill(pid, SIGCONT); waitpid(pid, &status, WCONTINUED); reap();
}
static void stopped_sleep(void) {
  int pid = fork();
  if (!pid) { pause_ms(150); _exit(0); }
  pause_ms(30); kill(pid, SIGSTOP); pause_ms(30); kill(pid, SIGCONT); reap();
}
static void stopped_threads(void) {
  int status, pid = fork();
  if (!pid) { pthread_t t; pthread_create(&t, 0, writes, (int[]){open("/dev/null", O_WRONLY)}); pause_ms(20); kill(getpid(), SIGTSTP); pthread_join(t, 0); _exit(0); }
  waitpid(pid, &status, WUNTRACED); kill(pid, SIGCONT); reap();
}
static sigjmp_buf back;
static void jump(int s) { (void)s; siglongjmp(back, 1); }
static void faults(void) { signal(SIGSEGV, jump); if (!sigsetjmp(back, 1)) *(volatile int *)8 = 1; calls(1); }
static void dies(void) { *(volatile int *)8 = 1; }
static void aborts(void) { abort(); }
static void other_stack(void) {
  static char room[65536];
  stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
  sigaltstack(&stack, 0); handle(SIGUSR1, SA_ONSTACK); raise(SIGUSR1);
}
static void from_handler(int s) { (void)s; calls(3); if (!fork()) _exit(0); }
static void handler_forks(void) { signal(SIGUSR1, from_handler); raise(SIGUSR1); reap(); }
static void nested(int s) { if (s < SIGRTMIN + 5) raise(s + 1); calls(1); }
static void nested_handlers(void) { for (int i = 0; i < 6; i++) signal(SIGRTMIN + i, nested); raise(SIGRTMIN); }
static void queued(void) {
  union sigval value = {7}; sigset_t set; siginfo_t info;
  sigemptyset(&set); sigaddset(&set, SIGRTMIN); sigprocmask(SIG_BLOCK, &set, 0);
  for (int i = 0; i < 3; i++) sigqueue(getpid(), SIGRTMIN, value);
  for (int i = 0; i < 3; i++) sigwaitinfo(&set, &info);
}
static void by_descriptor(void) {
  sigset_t set; struct signalfd_siginfo info;
  sigemptyset(&set); sigaddset(&set, SIGUSR1); sigprocmask(SIG_BLOCK, &set, 0);
  int fd = signalfd(-1, &set, 0); raise(SIGUSR1);
  if (read(fd, &info, sizeof info) != sizeof info) _exit(1);
}
static void timers(void) {
  timer_t timer; struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  struct itimerspec in = {.it_value = {0, 10000000}}; sigset_t set; int got;
  sigemptyset(&set); sigaddset(&set, SIGUSR1); sigprocmask(SIG_BLOCK, &set, 0);
  timer_create(CLOCK_MONOTONIC, &event, &timer); timer_settime(timer, 0, &in, 0); sigwait(&set, &got); timer_delete(timer);
}
static void timeouts(void) {
  struct pollfd none = {-1, 0, 0}; struct timespec time = {0, 5000000}; struct timeval old = {0, 5000};
  poll(&none, 1, 5); ppoll(&none, 1, &time, 0); select(0, 0, 0, 0, &old); pselect(0, 0, 0, 0, &time, 0);
}
static void events(void) {
  int queue = epoll_create1(0), event = eventfd(1, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
  struct epoll_event what = {.events = EPOLLIN}; struct itimerspec in = {.it_value = {0, 5000000}}; uint64_t word;
  epoll_ctl(queue, EPOLL_CTL_ADD, event, &what); epoll_ctl(queue, EPOLL_CTL_ADD, timer, &what);
  timerfd_settime(timer, 0, &in, 0);
  epoll_wait(queue, &what, 1, -1);
  if (read(event, &word, 8) != 8 || read(timer, &word, 8) != 8) _exit(1);
}
static void condition(void) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; pthread_cond_t cond = PTHREAD_COND_INITIALIZER; struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end); end.tv_nsec = (end.tv_nsec + 20000000) % 1000000000;
  if (end.tv_nsec < 20000000) end.tv_sec++;
  pthread_mutex_lock(&mutex); pthread_cond_timedwait(&cond, &mutex, &end); pthread_mutex_unlock(&mutex);
}
static void *reads(void *p) { char byte; return (void *)(long)read(*(int *)p, &byte, 1); }
static void blocked_for_long(void) { int fds[2]; pthread_t t; if (pipe(fds)) return; pthread_create(&t, 0, reads, fds); pause_ms(300); exit(0); }
static void *cancelled(void *p) { *(volatile int *)p = 1; for (;;) pause(); return p; }
static void cancels(void) {
  volatile int is_there = 0;
  pthread_t t;
  pthread_create(&t, 0, cancelled, (void *)&is_there);
  while (!is_there) pause_ms(20);
  pause_ms(60);
  pthread_cancel(t);
  pthread_join(t, 0);
}
static void broken_pipe(void) { int fds[2]; if (pipe(fds)) return; close(fds[0]); if (write(fds[1], "x", 1) > 0) _exit(1); }
static void child_signal(void) { handle(SIGCHLD, SA_RESTART); for (int i = 0; i < 10; i++) if (!fork()) _exit(0); reap(); }

const struct victim signals[] = {
    {"raises", raises}, {"alarm_pauses", alarm_pauses}, {"interrupted", interrupted}, {"restarted", restarted}, {"stops", stops},
    {"stopped_sleep", stopped_sleep}, {"stopped_threads", stopped_threads}, {"faults", faults}, {"dies", dies}, {"aborts", aborts},
    {"other_stack", other_stack}, {"handler_forks", handler_forks}, {"nested_handlers", nested_handlers}, {"queued", queued},
    {"by_descriptor", by_descriptor}, {"timers", timers}, {"timeouts", timeouts}, {"events", events}, {"condition", condition},
    {"blocked_for_long", blocked_for_long}, {"cancels", cancels}, {"broken_pipe", broken_pipe}, {"child_signal", child_signal},
    {0, 0}};
