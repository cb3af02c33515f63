// Faults: a recovered one, then one that ends the program.
package main

import "fmt"

type thing struct{ value int }

//go:noinline
func read(pointer *thing) int { return pointer.value }

func main() {
	func() {
		defer func() { fmt.Println("recovered", recover() != nil) }()
		read(nil)
	}()
	read(nil)
}
