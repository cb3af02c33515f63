// Threads that exist before it narrows, and ones made after it: what each of them gets from a call that start-up alone needs, before and after.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
)

const workers = 8

// ask makes getppid in a thread of its own each time it is told to.
func ask(turns <-chan bool, results chan<- syscall.Errno) {
	runtime.LockOSThread()
	for range turns {
		_, _, errno := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		results <- errno
	}
}

type crowd struct {
	turns   []chan bool
	results chan syscall.Errno
}

func (c *crowd) grow() {
	for i := 0; i < workers; i++ {
		turns := make(chan bool)
		c.turns = append(c.turns, turns)
		go ask(turns, c.results)
	}
}

// refused tells how many threads got EPERM.
func (c *crowd) refused() int {
	for _, turns := range c.turns {
		turns <- true
	}
	count := 0
	for range c.turns {
		if <-c.results == syscall.EPERM {
			count++
		}
	}
	return count
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
}

func main() {
	all := &crowd{results: make(chan syscall.Errno)}
	all.grow()
	check(ConfineSelkie())
	all.grow()
	before := all.refused()
	check(ConfineSelkieService())
	all.grow()
	fmt.Printf("refused before %d, after %d of %d\n", before, all.refused(), len(all.turns))
	var collect sync.WaitGroup
	collect.Add(1)
	go func() { runtime.GC(); collect.Done() }()
	collect.Wait()
	fmt.Println(ConfineSelkieService())
}
