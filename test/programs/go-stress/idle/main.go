// Does nothing for a while (IDLE_SECONDS, else 32): sysmon, forced collections, cgroup limits read again.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	seconds, err := strconv.Atoi(os.Getenv("IDLE_SECONDS"))
	if err != nil {
		seconds = 32
	}
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for time.Now().Before(end) {
		time.Sleep(250 * time.Millisecond)
	}
	fmt.Println("done")
}
