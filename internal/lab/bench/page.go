// Package bench measures the program against floors, side by side in one run in the lab,
// and writes the figures into docs/benchmarks.md: make bench.
package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// The sections of the page.
const (
	Program = "One machine"
	Stores  = "Whole stores"
	Steps   = "First steps"
	Proxies = "In front of a docker socket"
	Relay   = "Published ports"
	// FirstAnswers are those of containers that have just been started.
	FirstAnswers = "A container's first answer"
)

// Row is one figure of the page.
type Row struct {
	What, Figure, Goal string
	Missed             bool
}

// Section is what one run measures.
type Section struct {
	Title   string // its heading
	Command string // that measures it again
	Rows    []Row
}

// Write replaces a section in a page, which has its heading already, and leaves the others.
func Write(file string, s Section, machine string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := s.into(string(page), machine)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func (s Section) into(page, machine string) (string, error) {
	heading := "\n## " + s.Title + "\n"
	before, rest, found := strings.Cut(page, heading)
	if !found {
		return "", fmt.Errorf("there is no heading %q", s.Title)
	}
	after := ""
	if i := strings.Index(rest, "\n## "); i >= 0 {
		after = rest[i:]
	}
	return before + heading + s.text(machine) + after, nil
}

func (s Section) text(machine string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n`%s` on %s\n\n| | measured | goal |\n| --- | --- | --- |\n", s.Command, machine)
	for _, r := range s.Rows {
		goal := r.Goal
		if r.Missed {
			goal = "**missed**: " + goal
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.What, r.Figure, goal)
	}
	return b.String()
}

// Machine describes the computer that measures.
func Machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
			model, _, _ = strings.Cut(rest, "\n")
		}
	}
	kernel := ""
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = " " + strings.TrimSpace(string(release))
	}
	return fmt.Sprintf("%s, %d processors, %s%s, %s", model, runtime.NumCPU(), runtime.GOOS, kernel, runtime.Version())
}
