// Reads every file that it is told, each on a thread of its own, and says in order which could be read. Ends with 7.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

func read(path string, done chan<- string) {
	runtime.LockOSThread()
	_, err := os.ReadFile(path)
	if err == nil {
		done <- "read"
	} else if errors.Is(err, fs.ErrPermission) {
		done <- "refused"
	} else {
		done <- err.Error()
	}
}

func main() {
	results := make([]chan string, len(os.Args)-1)
	for index, path := range os.Args[1:] {
		results[index] = make(chan string)
		go read(path, results[index])
	}
	words := []string{}
	for _, result := range results {
		words = append(words, <-result)
	}
	fmt.Println(strings.Join(words, " "))
	os.Exit(7)
}
