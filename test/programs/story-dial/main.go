// The story's program after an attacker added a line: it calls home.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	if err := os.Mkdir("/tmp/moo", 0o755); err != nil && !os.IsExist(err) {
		fmt.Println("Cannot make the folder:", err)
		os.Exit(1)
	}
	fmt.Println("I made the folder /tmp/moo")
	connection, err := net.Dial("tcp", "127.0.0.1:80")
	if err != nil {
		fmt.Println("Cannot dial:", err)
		os.Exit(1)
	}
	connection.Close()
}
