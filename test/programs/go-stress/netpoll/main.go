// Pipes that block: the poller starts, sleeps in epoll and is woken by its own event.
package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	for i := 0; i < 16; i++ {
		reader, writer, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		group.Add(2)
		go func() {
			defer group.Done()
			io.Copy(io.Discard, reader)
			reader.Close()
		}()
		go func() {
			defer group.Done()
			for j := 0; j < 20; j++ {
				writer.Write(make([]byte, 32<<10))
				time.Sleep(time.Millisecond)
			}
			writer.Close()
		}()
	}
	for i := 0; i < 100; i++ {
		time.AfterFunc(time.Duration(i)*time.Millisecond, func() {})
	}
	reader, writer, _ := os.Pipe()
	reader.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	_, err := reader.Read(make([]byte, 1))
	fmt.Println("deadline", os.IsTimeout(err))
	writer.Close()
	group.Wait()
	fmt.Println("done")
}
