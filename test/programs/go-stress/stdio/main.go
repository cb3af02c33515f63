// Started with standard descriptors closed (derive.mjs does that): the runtime opens /dev/null in their place.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	count, _ := io.Copy(io.Discard, os.Stdin)
	fmt.Println("done", count)
	println("done", count)
}
