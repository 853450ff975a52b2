package host

import "runtime"

// Yield lets the goroutines run first that are ready to.
func Yield() { runtime.Gosched() }

// OneProcessor makes all goroutines take turns on one processor, until restore is called.
func OneProcessor() (restore func()) {
	before := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(before) }
}
