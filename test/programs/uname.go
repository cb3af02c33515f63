// Says what uname(2) answers, from several goroutines with a collection between them; exits with 7, or 8 when it was refused.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
)

func main() {
	var group sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			runtime.GC()
			var name syscall.Utsname
			results[i] = syscall.Uname(&name)
		}(i)
	}
	group.Wait()
	for _, err := range results {
		if err != results[0] {
			os.Exit(9)
		}
	}
	fmt.Printf("uname: %v, %d arguments\n", results[0], len(os.Args))
	if results[0] != nil {
		os.Exit(8)
	}
	os.Exit(7)
}
