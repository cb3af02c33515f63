// Many goroutines blocked in system calls: sysmon hands their processors to new threads.
package main

import (
	"fmt"
	"sync"
	"syscall"
)

func main() {
	var group sync.WaitGroup
	for i := 0; i < 60; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			wait := syscall.NsecToTimespec(120_000_000)
			syscall.Nanosleep(&wait, nil)
		}()
	}
	group.Wait()
	fmt.Println("done")
}
