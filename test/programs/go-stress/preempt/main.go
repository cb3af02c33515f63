// Loops without calls, which only a signal can stop: SIGURG by tgkill, rt_sigreturn.
package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

func main() {
	var stop int32
	for i := 0; i < 6; i++ {
		go func() {
			sum := 0
			for atomic.LoadInt32(&stop) == 0 {
				for j := 0; j < 200_000_000; j++ {
					sum += j
				}
			}
			runtime.KeepAlive(sum)
		}()
	}
	for i := 0; i < 20; i++ {
		time.Sleep(20 * time.Millisecond)
		runtime.GC()
	}
	atomic.StoreInt32(&stop, 1)
	fmt.Println("done")
}
