//go:build cgo

package main

import "C" // links the C library, whose threads the program then uses
