// GOMAXPROCS up and down while work goes on: the world stops each time.
package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

func main() {
	var stop int32
	for i := 0; i < 8; i++ {
		go func() {
			for atomic.LoadInt32(&stop) == 0 {
				_ = make([]byte, 1024)
			}
		}()
	}
	for i := 0; i < 40; i++ {
		runtime.GOMAXPROCS(1 + i%9)
		time.Sleep(5 * time.Millisecond)
	}
	atomic.StoreInt32(&stop, 1)
	fmt.Println("done", runtime.NumCPU() > 0)
}
