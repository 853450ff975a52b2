package engine

import (
	"fmt"
)

// attempt is a change that was tried. plan is its String() from before it was applied: applying a
// change may alter its fields, such as the port.
type attempt struct {
	Change
	plan  string
	begun bool // false if it failed before it could have an effect
}

// maxAttempts is how many changes of one kind are tried on one layer.
const maxAttempts = 5

// choose returns the planned change if it has not been tried yet, or else the first of its stronger
// alternatives that has not. It returns an error if there is none.
func choose(planned Change, tried []attempt) (Change, error) {
	c := planned
	for {
		same, ofKind := -1, 0
		for i, t := range tried {
			if t.About().Kind != c.About().Kind {
				continue
			}
			ofKind++
			if t.plan == c.String() {
				same = i
			}
		}
		if same < 0 && ofKind < maxAttempts {
			return c, nil
		}
		if same >= 0 && !tried[same].begun { // an alternative is for a change that was made and did not help
			return nil, fmt.Errorf("%s: not begun, and still needed", c)
		}
		var e Escalating
		if same >= 0 { // ask the one that was tried: it may have learned more than the one planned anew
			e, _ = tried[same].Change.(Escalating)
		}
		if e == nil || e.Next() == nil {
			return nil, fmt.Errorf("%s: done, and still needed", c)
		}
		c = e.Next()
	}
}
