// Takes the addresses where the heap wants to grow, so that the kernel places its reservations elsewhere and the runtime trims them.
package main

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"
)

const (
	arena    = 64 << 20
	mapFixed = 0x100000 // MAP_FIXED_NOREPLACE
)

func main() {
	first := new([4096]byte)
	base := uintptr(unsafe.Pointer(first)) &^ (arena - 1)
	for step := uintptr(1); step < 4; step++ {
		flags := uintptr(syscall.MAP_ANON | syscall.MAP_PRIVATE | mapFixed)
		syscall.Syscall6(syscall.SYS_MMAP, base+step*arena, 4096, syscall.PROT_NONE, flags, ^uintptr(0), 0)
	}
	var kept [][]byte
	for i := 0; i < 6; i++ {
		kept = append(kept, make([]byte, 48<<20))
	}
	runtime.KeepAlive(first)
	fmt.Println("done", len(kept))
}
