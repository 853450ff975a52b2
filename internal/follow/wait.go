package follow

import "time"

// poke sends a signal on a channel with a buffer of 1. Signals that were not received yet are merged.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// backoff computes how long to wait before the next attempt: twice as long each time, up to maxWait.
type backoff struct{ attempts int }

const (
	firstWait = 250 * time.Millisecond
	maxWait   = 15 * time.Second
)

func (b *backoff) next() time.Duration {
	b.attempts++
	return min(firstWait<<min(b.attempts-1, 10), maxWait)
}

func (b *backoff) reset() { b.attempts = 0 }
