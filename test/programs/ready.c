/*
 * A server that says in the way of its first argument that it is ready (listen, fd, close, print, signal to its parent, user, none) and ends.
 * getpgrp stands 200 times before the sign and 200 times behind it; mkdir is of start-up alone, rmdir and getsid of the service.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv) {
  char how = argv[1][0];
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(argc > 2 ? atoi(argv[2]) : 0)};
  mkdir("made", 0700);
  for (int i = 0; i < 200; i++) getpgrp();
  int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(s, (struct sockaddr *)&a, sizeof a)) return 2;
  if (how != 'n' && listen(s, 5)) return 3;
  if (how == 'f') { if (write(3, "ok", 2) != 2) return 4; getuid(); if (write(3, "!\n", 2) != 2) return 5; }
  if (how == 'c') close(3);
  if (how == 'p') { printf("one\nnow rea"); fflush(stdout); getuid(); printf("dy to serve\n"); fflush(stdout); }
  if (how == 'u') { printf("waiting\n"); fflush(stdout); sleep(1); }
  if (how == 's') kill(getppid(), SIGUSR1);
  for (int i = 0; i < 200; i++) getpgrp();
  getsid(0);
  rmdir("made");
  return 0;
}
