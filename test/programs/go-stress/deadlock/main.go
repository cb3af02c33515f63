// A fatal error of the runtime: all goroutines are asleep.
package main

func main() {
	var never chan int
	<-never
}
