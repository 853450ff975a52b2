package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const (
	// spinAfter is how long a step may take before anything is shown of it.
	spinAfter = 400 * time.Millisecond
	spinEvery = 100 * time.Millisecond
	// spinWidth is the widest that the line gets.
	spinWidth = 78
)

// step is something that takes its time.
type step struct {
	machine, what string
	change        bool // it goes on until the next event of its machine
	since         time.Time
}

// spinner is one line on stderr that shows what takes long, and for how long. It is
// only there on a terminal, and always wiped before anything else is written.
type spinner struct {
	steps []step // the oldest first
	drawn int    // how many columns of it are on the screen
	turn  int
	stop  chan struct{} // of the goroutine that draws; nil if none does
}

// spins reports whether the spinner may be shown at all: not to screen readers and other
// dumb terminals, and not between the lines of --verbose.
func (u *UI) spins() bool {
	return u.errTerm && !u.JSON && !u.Verbose && u.getenv("TERM") != "dumb"
}

// Busy reports that a step has begun; done ends it.
func (u *UI) Busy(machine, what string) (done func()) {
	u.begin(step{machine: machine, what: what})
	return func() { u.idle(func(st step) bool { return st.machine == machine && st.what == what }) }
}

func (u *UI) begin(s step) {
	if !u.spins() {
		return
	}
	s.since = time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.spin.steps = append(u.spin.steps, s)
	if u.spin.stop == nil {
		u.spin.stop = make(chan struct{})
		go u.draw(u.spin.stop)
	}
}

// Still ends the spinner: another program, such as sudo, is about to use the terminal.
func (u *UI) Still() { u.idle(func(step) bool { return true }) }

// idle ends steps.
func (u *UI) idle(which func(step) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.spin.steps = slices.DeleteFunc(u.spin.steps, which)
	u.rest()
}

// endSteps ends steps and wipes the line, before something is written; u.mu is held.
func (u *UI) endSteps(which func(step) bool) {
	u.spin.steps = slices.DeleteFunc(u.spin.steps, which)
	u.rest()
	u.wipe()
}

// rest stops drawing when no step is left; u.mu is held.
func (u *UI) rest() {
	if len(u.spin.steps) == 0 && u.spin.stop != nil {
		close(u.spin.stop)
		u.spin.stop = nil
		u.wipe()
	}
}

func (u *UI) draw(stop chan struct{}) {
	t := time.NewTicker(spinEvery)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-t.C:
			u.mu.Lock()
			select {
			case <-stop:
			default:
				if line := u.spin.line(now, min(u.width(u.err)-1, spinWidth), u.utf8(u.errTerm)); line != "" {
					// One write a frame: nothing flickers.
					io.WriteString(u.err, u.upToDrawn()+line+"\x1b[K")
					u.spin.drawn = columnsOf(line)
					u.spin.turn++
				}
			}
			u.mu.Unlock()
		}
	}
}

// wipe takes the line away; u.mu is held.
func (u *UI) wipe() {
	if u.spin.drawn > 0 {
		io.WriteString(u.err, u.upToDrawn()+"\x1b[K")
		u.spin.drawn = 0
	}
}

// upToDrawn goes to where the line on the screen begins. A terminal that was made narrower
// has broken it into several, of which the lower ones are wiped.
func (u *UI) upToDrawn() string {
	broken := max(u.spin.drawn-1, 0) / max(u.width(u.err), 1)
	return "\r" + strings.Repeat("\x1b[K\x1b[A", broken)
}

// line is one frame; "" while nothing has taken long.
func (s *spinner) line(now time.Time, width int, unicode bool) string {
	if len(s.steps) == 0 {
		return ""
	}
	elapsed := now.Sub(s.steps[0].since)
	if elapsed < spinAfter {
		return ""
	}
	frames, ellipsis := []string{"|", "/", "-", `\`}, "..."
	if unicode {
		ellipsis = "…"
		frames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
	}
	var machines, what []string
	for _, st := range s.steps {
		if !slices.Contains(machines, st.machine) {
			machines = append(machines, st.machine)
		}
		if !slices.Contains(what, st.what) {
			what = append(what, st.what)
		}
	}
	text := strings.Join(what, ", ")
	if len(machines) > 1 {
		text = fmt.Sprintf("%d machines", len(machines))
	} else if machines[0] != "" {
		text = machines[0] + ": " + text
	}
	tail := fmt.Sprintf(" %.1f s", elapsed.Seconds())
	return frames[s.turn%len(frames)] + " " + cut(clean(text), width-2-len(tail), ellipsis) + tail
}
