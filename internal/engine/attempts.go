package engine

import (
	"fmt"
)

// attempt is a change that was tried, and its plan in words: a change learns
// more while it is applied, such as which port was free in the end.
type attempt struct {
	Change
	plan  string
	begun bool
}

// maxAttempts bounds how often one kind of change is tried on one layer, each
// time with another plan.
const maxAttempts = 5

// choose is the planned change if it has not been tried yet, else the first of
// its stronger alternatives that has not.
func choose(planned Change, tried []attempt) (Change, error) {
	c := planned
	for {
		before, kind := -1, 0
		for i, t := range tried {
			if t.About().Kind != c.About().Kind {
				continue
			}
			kind++
			if t.plan == c.String() {
				before = i
			}
		}
		if before < 0 && kind < maxAttempts {
			return c, nil
		}
		if before >= 0 && !tried[before].begun { // its alternative is for where it did not help
			return nil, fmt.Errorf("%s: not begun, and still needed", c)
		}
		var e Escalating
		if before >= 0 { // what was tried may know better than what was planned again
			e, _ = tried[before].Change.(Escalating)
		}
		if e == nil || e.Next() == nil {
			return nil, fmt.Errorf("%s: done, and still needed", c)
		}
		c = e.Next()
	}
}
