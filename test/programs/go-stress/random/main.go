// Seeds and random maps: what the runtime, math/rand and crypto/rand take from the kernel.
package main

import (
	crypto "crypto/rand"
	"fmt"
	"hash/maphash"
	"math/rand"
)

func main() {
	crypto.Read(make([]byte, 64))
	var hash maphash.Hash
	hash.WriteString("seed")
	counts := map[int]int{}
	for i := 0; i < 1000; i++ {
		counts[rand.Intn(10)]++
	}
	fmt.Println("done", len(counts), hash.Sum64() != 0)
}
