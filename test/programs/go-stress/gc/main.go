// Collections, heap growth and shrinking, the scavenger, stack growth and huge objects.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

type node struct {
	next *node
	data [256]byte
}

func deep(n int) int {
	var pad [128]int
	pad[n%128] = n
	if n == 0 {
		return pad[0]
	}
	return deep(n-1) + pad[n%128]
}

func main() {
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for round := 0; round < 12; round++ {
				var head *node
				for i := 0; i < 4000; i++ {
					head = &node{next: head}
				}
				runtime.KeepAlive(head)
				deep(3000)
			}
		}()
	}
	group.Wait()
	huge := make([]byte, 96<<20)
	for i := 0; i < len(huge); i += 4096 {
		huge[i] = 1
	}
	runtime.KeepAlive(huge)
	huge = nil
	runtime.GC()
	debug.FreeOSMemory()
	debug.SetMemoryLimit(8 << 20)
	small := make([][]byte, 0, 2000)
	for i := 0; i < 2000; i++ {
		small = append(small, make([]byte, 16<<10))
	}
	runtime.KeepAlive(small)
	small = nil
	time.Sleep(300 * time.Millisecond)
	runtime.GC()
	time.Sleep(1200 * time.Millisecond)
	fmt.Println("done")
}
