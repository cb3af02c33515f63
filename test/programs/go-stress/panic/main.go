// A panic that nobody recovers: traceback and exit status 2.
package main

import "time"

func main() {
	go func() {
		time.Sleep(10 * time.Millisecond)
		panic("wanted")
	}()
	time.Sleep(time.Second)
}
