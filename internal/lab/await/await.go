// Package await polls until a condition holds, for conditions that cannot be subscribed to.
package await

import (
	"context"
	"fmt"
	"time"
)

// Until asks done again and again, every few milliseconds, until it says yes.
// what completes "waiting for …" in the error if the context ends first, which
// also tells the last error that done gave.
func Until(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err != nil {
				return fmt.Errorf("waiting for %s: %w: %w", what, ctx.Err(), err)
			}
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}
