// A fatal error from a thread other than the first: concurrent map writes.
package main

import "time"

func main() {
	shared := map[int]int{}
	for i := 0; i < 8; i++ {
		go func() {
			for j := 0; ; j++ {
				shared[j%16] = j
			}
		}()
	}
	time.Sleep(2 * time.Second)
}
