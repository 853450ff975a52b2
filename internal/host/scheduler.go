package host

import "runtime"

// Yield lets other goroutines that are ready run first.
func Yield() { runtime.Gosched() }

// OneProcessor makes all goroutines share one processor until restore is called.
func OneProcessor() (restore func()) {
	before := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(before) }
}
