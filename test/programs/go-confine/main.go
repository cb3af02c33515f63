// Threads that exist before the load, one made after it, and what each of them gets from a call that the policy does not permit.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
)

const workers = 12

// forbidden makes getppid in a thread of its own, once it is told to.
func forbidden(ready, done *sync.WaitGroup, start <-chan bool, results chan<- syscall.Errno) {
	runtime.LockOSThread()
	defer done.Done()
	ready.Done()
	<-start
	_, _, errno := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
	results <- errno
}

func main() {
	var ready, done sync.WaitGroup
	start := make(chan bool)
	results := make(chan syscall.Errno, 2*workers)
	ready.Add(workers)
	done.Add(workers)
	for i := 0; i < workers; i++ {
		go forbidden(&ready, &done, start, results)
	}
	ready.Wait()
	if err := ConfineSelkie(); err != nil {
		fmt.Println(err)
		for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EINVAL, syscall.ENOSYS, syscall.ESRCH} {
			if errors.Is(err, errno) {
				os.Exit(int(errno))
			}
		}
		os.Exit(99)
	}
	ready.Add(workers)
	done.Add(workers)
	for i := 0; i < workers; i++ {
		go forbidden(&ready, &done, start, results)
	}
	ready.Wait()
	close(start)
	done.Wait()
	close(results)
	refused := 0
	for errno := range results {
		if errno == syscall.EPERM {
			refused++
		}
	}
	fmt.Printf("refused in %d of %d threads\n", refused, 2*workers)
	fmt.Print(ConfineSelkiePermits())
	if len(os.Args) > 1 {
		var end [1]byte
		os.Stdin.Read(end[:])
	}
}
