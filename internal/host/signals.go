package host

import (
	"os"
	"os/signal"
	"syscall"
)

// Signals begins to listen for requests to stop. From then on a closed pipe does not kill the
// program either, in the middle of a repair. SIGPIPE is caught and not ignored: commands that
// we start would inherit an ignored signal.
func Signals() <-chan os.Signal {
	requests := make(chan os.Signal, 2)
	signal.Notify(requests, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return requests
}
