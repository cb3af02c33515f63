// A web server that may serve, and nothing else: whatever more it tries, the kernel answers "operation not permitted".
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func hello(writer http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(writer, "Hello from a confined server")
}

// breakIn tries what somebody would who had taken the server over.
func breakIn(writer http.ResponseWriter, _ *http.Request) {
	listing, err := exec.Command("/bin/ls", "/").Output()
	fmt.Fprintf(writer, "ls: %s%v\n", listing, err)
}

func main() {
	http.HandleFunc("/", hello)
	http.HandleFunc("/break-in", breakIn)
	server := &http.Server{Addr: ":" + os.Getenv("PORT")}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	stopped := make(chan struct{})
	go func() {
		<-stop
		server.Shutdown(context.Background())
		close(stopped)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-stopped
}
