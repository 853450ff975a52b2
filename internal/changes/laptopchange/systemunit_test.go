package laptopchange_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/laptopchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

const unitPath = "/etc/systemd/system/x.service"

// systemd is a laptop with systemd. Its unit x.service works; where broken is set, the unit
// ends at once.
type systemd struct {
	host.Laptop
	files   map[string]string
	enabled bool
	running string // the unit's text when it was started
	broken  string
	fail    string // the command that fails
}

func (s *systemd) ReadFile(_ context.Context, path string) ([]byte, error) {
	if text, ok := s.files[path]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func (s *systemd) DialContext(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	_ = theirs.Close()
	return ours, nil
}

func (s *systemd) Run(_ context.Context, c host.Cmd) (host.Output, error) {
	verb := c.Argv[0]
	if verb == "systemctl" {
		verb = c.Argv[1]
	} else if !c.Root {
		return host.Output{}, errors.New("not root")
	}
	if verb == s.fail {
		return host.Output{}, errors.New("failed")
	}
	switch verb {
	case "install":
		s.files[c.Argv[4]] = string(c.Stdin)
	case "mv":
		s.files[c.Argv[3]] = s.files[c.Argv[2]]
		delete(s.files, c.Argv[2])
	case "rm":
		delete(s.files, c.Argv[2])
	case "enable":
		s.enabled = true
	case "disable":
		s.enabled, s.running = false, ""
	case "restart":
		s.running = s.files[unitPath]
	case "is-active":
		if s.running == "" || s.running == s.broken {
			return host.Output{}, errors.New("inactive")
		}
	case "daemon-reload", "reset-failed":
	case "journalctl":
		return host.Output{Stdout: []byte("x: error: the port is in use\nx: hint: y\n")}, nil
	default:
		return host.Output{}, errors.New("unexpected: " + c.String())
	}
	return host.Output{}, nil
}

func TestSystemUnit(t *testing.T) {
	synctest.Test(t, testSystemUnit) // it waits for a unit that ends at once
}

func testSystemUnit(t *testing.T) {
	for _, old := range []string{"", "old unit"} {
		s := &systemd{files: map[string]string{}}
		if old != "" {
			s.files[unitPath], s.running, s.enabled = old, old, true
		}
		is := func(what, text string) {
			t.Helper()
			if s.files[unitPath] != text || s.running != text || s.enabled != (text != "") {
				t.Errorf("old %q, %s: the unit is %q, %q runs, enabled %t; want %q", old, what, s.files[unitPath], s.running, s.enabled, text)
			}
		}
		tg := &target.Target{Laptop: s}
		c := &laptopchange.SystemUnit{Name: "x.service", Text: "new unit", Listen: "127.0.0.1:1"}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(c.Backup(t.Context(), tg))
		revert := func(want ...string) {
			t.Helper()
			left, err := c.Revert(t.Context(), tg)
			must(err)
			if !slices.Equal(left, want) {
				t.Errorf("left %q, want %q", left, want)
			}
		}
		revert()
		is("reverted without Apply", old)
		must(c.Apply(t.Context(), tg))
		is("applied", "new unit")
		revert()
		is("reverted", old)
		revert()
		is("reverted twice", old)

		s.fail = "restart"
		if c.Apply(t.Context(), tg) == nil {
			t.Error("a failed restart is no error")
		}
		s.fail = ""
		revert()
		is("reverted halfway", old)

		s.broken = "new unit"
		err := c.Apply(t.Context(), tg)
		if want := "the service does not listen on 127.0.0.1:1 after 5s: the port is in use"; err == nil || err.Error() != want {
			t.Errorf("a unit that ends at once: %v", err)
		}
		revert()
		is("reverted a unit that ends at once", old)

		s.files[unitPath], s.running, s.enabled = "edited", "edited", true
		revert(unitPath + " was changed by another program since, and stays")
		is("edited", "edited")
	}
}

func TestSystemUnitRemoved(t *testing.T) {
	s := &systemd{files: map[string]string{unitPath: "unit"}, enabled: true, running: "unit"}
	tg := &target.Target{Laptop: s}
	c := &laptopchange.SystemUnit{Name: "x.service"}
	if err := errors.Join(c.Backup(t.Context(), tg), c.Apply(t.Context(), tg)); err != nil {
		t.Fatal(err)
	}
	if len(s.files) > 0 || s.enabled || s.running != "" {
		t.Errorf("left: %+v", s)
	}
	if left, err := c.Revert(t.Context(), tg); err != nil || len(left) > 0 || s.files[unitPath] != "unit" || s.running != "unit" || !s.enabled {
		t.Errorf("reverted: %+v, %v, %v", s, left, err)
	}
}
