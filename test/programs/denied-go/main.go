// Makes calls that a policy denies, each by a function of its name.
package main

import (
	"os"
	"syscall"
)

//go:noinline
func mkdirat() { os.Mkdir("/nowhere/a", 0o700) }

//go:noinline
func unlinkat() { os.Remove("/nowhere/a") }

//go:noinline
func renameat() { os.Rename("/nowhere/a", "/nowhere/b") }

//go:noinline
func linkat() { os.Link("/nowhere/a", "/nowhere/b") }

//go:noinline
func symlinkat() { os.Symlink("/nowhere/a", "/nowhere/b") }

//go:noinline
func fchmodat() { os.Chmod("/nowhere/a", 0o700) }

//go:noinline
func chdir() { os.Chdir("/nowhere") }

//go:noinline
func getppid() { os.Getppid() }

//go:noinline
func socket() { syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0) }

//go:noinline
func truncate() { os.Truncate("/nowhere/a", 1) }

//go:noinline
func flock() { syscall.Flock(99, syscall.LOCK_EX) }

//go:noinline
func sync() { syscall.Sync() }

//go:noinline
func umask() { syscall.Umask(0o22) }

func main() {
	mkdirat()
	unlinkat()
	renameat()
	linkat()
	symlinkat()
	fchmodat()
	chdir()
	getppid()
	socket()
	truncate()
	flock()
	sync()
	umask()
}
