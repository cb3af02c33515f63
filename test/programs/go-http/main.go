// An HTTP server whose collector is kept busy: every 16th request forces a collection.
//
//	go-http [-listen 127.0.0.1:0] [-requests N]
//
// Prints "listening ADDRESS". With -requests it asks itself N times, prints "answered N" and ends; else it serves until SIGTERM.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

var (
	served int64
	keep   [64][]byte
	lock   sync.Mutex
)

func answer(writer http.ResponseWriter, _ *http.Request) {
	count := atomic.AddInt64(&served, 1)
	garbage := make([]byte, 32<<10)
	garbage[0] = byte(count)
	lock.Lock()
	keep[count%int64(len(keep))] = garbage
	lock.Unlock()
	if count%16 == 0 {
		runtime.GC()
	}
	fmt.Fprintf(writer, "%d\n", count)
}

func ask(address string, requests int) error {
	for i := 0; i < requests; i++ {
		response, err := http.Get("http://" + address + "/")
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		response.Body.Close()
	}
	return nil
}

func askAll(address string, requests int) error {
	const clients = 8
	errs := make(chan error, clients)
	for i := 0; i < clients; i++ {
		share := requests / clients
		if i < requests%clients {
			share++
		}
		go func() { errs <- ask(address, share) }()
	}
	for i := 0; i < clients; i++ {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	requests := flag.Int("requests", 0, "ask itself so many times, then end")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Println("Cannot listen:", err)
		os.Exit(1)
	}
	fmt.Println("listening", listener.Addr())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	http.HandleFunc("/", answer)
	go http.Serve(listener, nil)
	if *requests == 0 {
		<-stop
		fmt.Println("served", atomic.LoadInt64(&served))
		return
	}
	if err := askAll(listener.Addr().String(), *requests); err != nil {
		fmt.Println("Cannot ask:", err)
		os.Exit(1)
	}
	fmt.Println("answered", atomic.LoadInt64(&served))
}
