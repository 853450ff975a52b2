package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const (
	// spinAfter is how long a step may take before the spinner shows it.
	spinAfter = 400 * time.Millisecond
	spinEvery = 100 * time.Millisecond
	// spinWidth is the maximum width of the spinner's line.
	spinWidth = 78
)

// step is something that may take long.
type step struct {
	machine, what string
	change        bool // it lasts until the next event of its machine
	since         time.Time
}

// spinner is a line on stderr that shows what takes long, and for how long. It exists only on a
// terminal, and is removed before anything else is written.
type spinner struct {
	steps []step // the oldest first
	drawn int    // how many columns are on the screen
	turn  int
	stop  chan struct{} // stops the drawing goroutine; nil if there is none
}

// spins reports whether the spinner may be shown. It is not shown on screen readers and other dumb
// terminals, or between the lines of --verbose.
func (u *UI) spins() bool {
	return u.errTerm && !u.JSON && !u.Verbose && u.getenv("TERM") != "dumb"
}

// Busy starts a step; done ends it.
func (u *UI) Busy(machine, what string) (done func()) {
	u.begin(step{machine: machine, what: what})
	return func() { u.finish(func(st step) bool { return st.machine == machine && st.what == what }) }
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

// StopSpinner ends all steps, because another program such as sudo is about to use the terminal.
func (u *UI) StopSpinner() { u.finish(func(step) bool { return true }) }

// finish ends steps, and the spinner if none is left.
func (u *UI) finish(which func(step) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.spin.steps = slices.DeleteFunc(u.spin.steps, which)
	u.stopIfIdle()
}

// endSteps is finish for before something is written: it also removes the line. u.mu must be held.
func (u *UI) endSteps(which func(step) bool) {
	u.spin.steps = slices.DeleteFunc(u.spin.steps, which)
	u.stopIfIdle()
	u.wipe()
}

// stopIfIdle stops drawing if no step is left. u.mu must be held.
func (u *UI) stopIfIdle() {
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
					// Write each frame at once, so that nothing flickers.
					io.WriteString(u.err, u.toLineStart()+line+"\x1b[K")
					u.spin.drawn = columnsOf(line)
					u.spin.turn++
				}
			}
			u.mu.Unlock()
		}
	}
}

// wipe removes the spinner's line. u.mu must be held.
func (u *UI) wipe() {
	if u.spin.drawn > 0 {
		io.WriteString(u.err, u.toLineStart()+"\x1b[K")
		u.spin.drawn = 0
	}
}

// toLineStart returns the escape sequence that moves to the beginning of the spinner's line. If the
// terminal was made narrower, the line is now several, and the lower ones are erased.
func (u *UI) toLineStart() string {
	broken := max(u.spin.drawn-1, 0) / max(u.width(u.err), 1)
	return "\r" + strings.Repeat("\x1b[K\x1b[A", broken)
}

// line returns one frame, or "" if nothing has taken long yet.
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
