// Threads through the C library: started by glibc, with calls into C that block and that call malloc.
package main

/*
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *work(void *argument) {
	for (int i = 0; i < 200; i++) {
		char *memory = malloc(1000 + i * 997);
		memset(memory, 1, 1000);
		memory = realloc(memory, 300000 + i);
		free(memory);
	}
	usleep(2000);
	return argument;
}
static void own_threads(void) {
	pthread_t threads[8];
	for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, work, 0);
	for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	for i := 0; i < 24; i++ {
		group.Add(1)
		lock := i%3 == 0
		go func() {
			defer group.Done()
			if lock {
				runtime.LockOSThread()
			}
			C.own_threads()
			runtime.GC()
		}()
	}
	group.Wait()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("done")
}
