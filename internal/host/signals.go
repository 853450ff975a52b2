package host

import (
	"os"
	"os/signal"
	"syscall"
)

// Signals starts to catch the signals that stop the program, and returns their channel. It also
// catches SIGPIPE, so that a closed pipe does not kill the program during a repair. It does not
// ignore SIGPIPE, because commands that we start would inherit that.
func Signals() <-chan os.Signal {
	requests := make(chan os.Signal, 2)
	signal.Notify(requests, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return requests
}
