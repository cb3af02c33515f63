// The program of the story: makes one folder and says so.
package main

import (
	"fmt"
	"os"
)

func makeTheFolder() error {
	err := os.Mkdir("/tmp/moo", 0o755)
	if os.IsExist(err) {
		return nil
	}
	return err
}

func main() {
	if err := makeTheFolder(); err != nil {
		fmt.Println("Cannot make the folder:", err)
		os.Exit(1)
	}
	fmt.Println("I made the folder /tmp/moo")
}
