//go:build e2e

package ui

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/terminal"
)

// TestMain shows a report on this process's own terminal, when tmux runs it.
func TestMain(m *testing.M) {
	if os.Getenv("DVH_SHOW") == "" {
		os.Exit(m.Run())
	}
	u := New(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	done := u.Busy("default", "a step that is so slow that everybody waits for it")
	time.Sleep(1500 * time.Millisecond)
	u.Say("[default] adding NAT rule 127.0.0.1:2376 -> VM port 2376")
	time.Sleep(1500 * time.Millisecond)
	done()
	u.Report(broken(), fixIt)
	fmt.Print("END")
	time.Sleep(time.Minute)
	os.Exit(0)
}

// onTerminal shows the report on a terminal.
func onTerminal(t *testing.T, columns int, env ...string) terminal.Terminal {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return terminal.Open(t, columns, "exec env DVH_SHOW=1 "+strings.Join(env, " ")+" '"+exe+"'")
}

func TestScreens(t *testing.T) {
	for name, c := range map[string]struct {
		columns int
		env     []string
	}{
		"40": {40, nil}, "80": {80, nil}, "200": {200, nil},
		"40-no-color":  {40, []string{"NO_COLOR=1"}},
		"80-no-color":  {80, []string{"NO_COLOR=1"}},
		"200-no-color": {200, []string{"NO_COLOR=1"}},
		"80-latin":     {80, []string{"LC_ALL=C"}},
		"80-dumb":      {80, []string{"TERM=dumb"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := onTerminal(t, c.columns, append([]string{"LC_ALL=C.UTF-8"}, c.env...)...)
			golden(t, "screen-"+name, []byte(s.Shows("END")))
		})
	}
}

// What moves leaves nothing behind when the terminal is made narrower meanwhile.
func TestResize(t *testing.T) {
	t.Parallel()
	s := onTerminal(t, 100, "LC_ALL=C.UTF-8", "NO_COLOR=1")
	s.Shows("default: a step")
	s.Tmux("resize-window", "-x", "40", "-y", "40")
	golden(t, "screen-40-no-color", []byte(s.Shows("END")))
}
