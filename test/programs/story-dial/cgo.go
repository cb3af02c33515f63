//go:build cgo

package main

// With cgo the program is linked with the C library, whose threads it then uses.
import "C"
