// Thousands of timers, tickers and deadlines of all lengths.
package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	for i := 0; i < 4000; i++ {
		group.Add(1)
		time.AfterFunc(time.Duration(i%500)*time.Millisecond, group.Done)
	}
	ticker := time.NewTicker(time.Millisecond)
	for i := 0; i < 300; i++ {
		<-ticker.C
	}
	ticker.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	for i := 0; i < 2000; i++ {
		time.Sleep(time.Microsecond)
	}
	group.Wait()
	fmt.Println("done", time.Now().Year() > 2000)
}
