/*
 * Runs a command under an outer filter that answers seccomp(2) and prctl(2), or one of them, its own way:
 *     outer HOW WHICH COMMAND...     HOW: N (errno N, 0 included), kill, listener (answers 0)
 *                                    WHICH: prctl, seccomp, both, exit, a number, or NUMBER:WORD for calls with that first argument
 * `exit` answers exit_group and seccomp. Ends with 2 where it cannot set this up.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int has_word;
static unsigned word;

static int install(unsigned action, int first, int second, int flags) {
  struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word, 0, has_word),
    BPF_STMT(BPF_RET | BPF_K, action),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof program / sizeof *program, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

static void send_descriptor(int channel, int fd) {
  char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(channel, &message, 0) != 1) _exit(2);
}

static int receive_descriptor(int channel) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int fd;
  if (recvmsg(channel, &message, 0) != 1) exit(2);
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

/* Answers every call with 0, without making it, until nobody is left. */
static void answer(int listener) {
  struct pollfd poller = {listener, POLLIN, 0};
  while (poll(&poller, 1, -1) > 0 && !(poller.revents & POLLHUP)) {
    struct seccomp_notif call = {0};
    struct seccomp_notif_resp response = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
    response.id = call.id;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int exits = strcmp(argv[2], "exit") == 0;
  int first = exits ? SYS_exit_group : strcmp(argv[2], "seccomp") == 0 ? SYS_seccomp : SYS_prctl;
  int second = strcmp(argv[2], "prctl") == 0 ? SYS_prctl : SYS_seccomp;
  char *end;
  long number = strtol(argv[2], &end, 10);
  if (*end == 0 || *end == ':') first = second = number;
  if (*end == ':') {
    has_word = 1;
    word = strtoul(end + 1, NULL, 0);
  }
  if (strcmp(argv[1], "listener") != 0) {
    int kill = strcmp(argv[1], "kill") == 0;
    if (install(kill ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | atoi(argv[1]), first, second, 0) != 0) return 2;
    execv(argv[3], argv + 3);
    return 2;
  }
  int channel[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel) != 0) return 2;
  pid_t child = fork();
  if (child == 0) {
    int listener = install(SECCOMP_RET_USER_NOTIF, first, second, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener < 0) _exit(2);
    send_descriptor(channel[0], listener);
    close(listener);
    execv(argv[3], argv + 3);
    _exit(2);
  }
  answer(receive_descriptor(channel[1]));
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) raise(WTERMSIG(status));
  return WEXITSTATUS(status);
}
