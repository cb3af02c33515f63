// Signals taken, ignored, reset, and one that ends the program.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	inbox := make(chan os.Signal, 64)
	signal.Notify(inbox, syscall.SIGUSR1, syscall.SIGHUP)
	signal.Ignore(syscall.SIGUSR2)
	for i := 0; i < 50; i++ {
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
		<-inbox
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGUSR2)
	signal.Stop(inbox)
	signal.Reset()
	fmt.Println("done")
	syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
	time.Sleep(time.Second)
}
