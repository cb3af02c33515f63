// Threads that begin and end: goroutines that end while locked take their thread with them.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func main() {
	for round := 0; round < 4; round++ {
		var group sync.WaitGroup
		for i := 0; i < 40; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				runtime.LockOSThread()
				time.Sleep(5 * time.Millisecond)
			}()
		}
		group.Wait()
	}
	fmt.Println("done")
}
