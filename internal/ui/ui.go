// Package ui owns everything that a person sees. Its rules:
//
//   - results on stdout; progress, notes, prompts and errors on stderr;
//   - with --json, stdout is one JSON object and nothing else, and stderr has only what a prompt or
//     a wait needs;
//   - color and a spinner only on a terminal; NO_COLOR and TERM=dumb are honored; a pipe gets plain
//     lines in UTF-8;
//   - an error line names what failed, hint lines what to type.
package ui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/fatih/color"
)

// Program is the name at the beginning of error lines.
const Program = "docker-vpn-helper"

// Color is when to use color.
type Color string

// The values of --color.
const (
	Auto   Color = "auto"
	Always Color = "always"
	Never  Color = "never"
)

// ParseColor parses the value of --color.
func ParseColor(s string) (Color, error) {
	switch c := Color(s); c {
	case Auto, Always, Never:
		return c, nil
	}
	return "", fmt.Errorf("--color takes auto, always or never, not %q", s)
}

// UI writes to one set of streams.
type UI struct {
	in       *bufio.Reader
	out, err io.Writer
	getenv   func(string) string
	inTerm   bool
	outTerm  bool
	errTerm  bool

	Color   Color
	JSON    bool
	Verbose bool

	mu   sync.Mutex
	lost error // the first error of writing a result
	// changed means that a change was started or reverted.
	changed bool
	// reports is how many reports have been written.
	reports int
	spin    spinner
	// columns, if not nil, returns the width of the screen; tests set it.
	columns func() int
}

// New returns a UI for the streams. It writes nothing.
func New(in io.Reader, out, err io.Writer, getenv func(string) string) *UI {
	return &UI{
		in: bufio.NewReader(in), out: out, err: err, getenv: getenv,
		inTerm: isTerminal(in), outTerm: isTerminal(out), errTerm: isTerminal(err),
		Color: Auto,
	}
}

// CanPrompt reports whether the user can be asked: stdin and stderr are terminals. stdout may be a
// pipe, as in eval "$(docker-vpn-helper fix)".
func (u *UI) CanPrompt() bool { return u.inTerm && u.errTerm && !u.JSON }

// StdinIsTerminal reports whether standard input is a terminal, so that Ctrl-C reaches a command
// that we run there.
func (u *UI) StdinIsTerminal() bool { return u.inTerm }

// Print writes a result.
func (u *UI) Print(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.endSteps(func(st step) bool { return st.change })
	if _, err := io.WriteString(u.out, text); u.lost == nil {
		u.lost = err
	}
}

// WriteError returns the first error of writing a result, such as a full disk, or nil.
func (u *UI) WriteError() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lost
}

// Changed reports whether a change was started or reverted. Each was printed.
func (u *UI) Changed() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changed
}

func (u *UI) setChanged() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.changed = true
}

// PrintJSON writes a result as one line of JSON.
func (u *UI) PrintJSON(v any) error {
	line, err := JSONLine(v)
	if err == nil {
		u.Print(string(line))
	}
	return err
}

// JSONLine returns a result as one line of JSON. HTML characters are not escaped.
func JSONLine(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// Say writes a line of progress. On a terminal it is wrapped.
func (u *UI) Say(format string, args ...any) {
	u.say(func(s string) string { return s }, fmt.Sprintf(format, args...))
}

// Success is Say for what a command has achieved.
func (u *UI) Success(format string, args ...any) {
	p := u.paint(u.errTerm)
	u.say(func(s string) string { return p(color.FgGreen, s) }, fmt.Sprintf(format, args...))
}

func (u *UI) say(style func(string) string, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wipe()
	for _, line := range u.fold(text, "", "  ") {
		fmt.Fprintln(u.err, style(line))
	}
}

// CommandLine writes a label and a command line that is about to run or that the user is to type.
// It is always one line, so that it can be copied.
func (u *UI) CommandLine(label, line string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wipe()
	fmt.Fprintf(u.err, "%s %s\n", label, u.paint(u.errTerm)(color.FgCyan, clean(line)))
}

// minFold is the narrowest width at which lines are wrapped: the program's name and a word fit.
const minFold = 40

// fold wraps a text for stderr at the terminal's width. The first line follows lead, the others
// begin with indent.
func (u *UI) fold(text, lead, indent string) []string {
	columns := max(u.width(u.err), minFold)
	var out []string
	for _, line := range strings.Split(u.plain(clean(text), u.errTerm), "\n") {
		if columnsOf(lead)+columnsOf(line) <= columns {
			out = append(out, line)
		} else {
			for i, part := range Wrap(lead+line, columns-len(indent)) {
				if i == 0 {
					part = strings.TrimSpace(strings.TrimPrefix(part, strings.TrimSpace(lead)))
				} else {
					part = indent + part
				}
				out = append(out, part)
			}
		}
		lead = indent
	}
	return out
}

// Debug is Say for --verbose.
func (u *UI) Debug(format string, args ...any) {
	if u.Verbose {
		u.Say(format, args...)
	}
}

// Error writes what failed and what to do next. hint may have several lines.
func (u *UI) Error(message, hint string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.endSteps(func(st step) bool { return st.change })
	p := u.paint(u.errTerm)
	for i, line := range u.fold(message, Program+": error: ", "  ") {
		if i == 0 {
			line = Program + ": " + p(color.FgRed, "error:") + " " + line
		}
		fmt.Fprintln(u.err, line)
	}
	for _, line := range strings.Split(hint, "\n") {
		if line != "" {
			fmt.Fprintf(u.err, "%s: %s %s\n", Program, p(color.FgCyan, "hint:"), clean(line))
		}
	}
}

// Ask asks a question and reports whether the answer is yes. Anything else is a no, also an
// interruption.
func (u *UI) Ask(ctx context.Context, question string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.endSteps(func(st step) bool { return st.change })
	fmt.Fprintf(u.err, "%s [y/N] ", clean(question))
	answers := make(chan string, 1)
	go func() {
		answer, _ := u.in.ReadString('\n')
		answers <- answer
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(u.err)
		return false
	case answer := <-answers:
		if !strings.HasSuffix(answer, "\n") {
			fmt.Fprintln(u.err)
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true
		}
		return false
	}
}
