package follow

import "time"

// poke asks for something that is done once however often it is asked for.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// backoff is how long to wait before the next of a row of attempts.
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
