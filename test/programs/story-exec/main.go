// The story's program after an attacker added a line: it becomes /bin/ls.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	if err := os.Mkdir("/tmp/moo", 0o755); err != nil && !os.IsExist(err) {
		fmt.Println("Cannot make the folder:", err)
		os.Exit(1)
	}
	fmt.Println("I made the folder /tmp/moo")
	if err := syscall.Exec("/bin/ls", []string{"ls", "/"}, os.Environ()); err != nil {
		fmt.Println("Cannot exec /bin/ls:", err)
		os.Exit(1)
	}
}
