package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/follow"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/userssh"
)

// What doctor and guard print about docker hosts that cannot be reached, and what to do next.
func TestHostsThatCannotBeReached(t *testing.T) {
	for situation, c := range map[string]struct {
		line, env string
		code      int
		has       []string
		hasNot    string
	}{
		"DOCKER_HOST names no socket": {"doctor", "unix:///nosuch/docker.sock", exitProblems,
			[]string{"DOCKER_HOST names /nosuch/docker.sock, which does not exist", "Next:  unset DOCKER_HOST\n"}, "points docker elsewhere"},
		"DOCKER_HOST names a port on which nothing listens": {"doctor", "tcp://127.0.0.1:1", exitProblems,
			[]string{"tcp://127.0.0.1:1 (DOCKER_HOST)  docker is unreachable"}, "context:default  "},
		"a port on which nothing listens, and no certificates": {"doctor tcp://127.0.0.1:1", "", exitProblems,
			[]string{"127.0.0.1:1 refuses the connection"}, "ca.pem"},
		"guard over SSH": {"guard status -H ssh://root@127.0.0.1:1", "", exitUnknown,
			[]string{"hint: docker-vpn-helper doctor 'ssh://root@127.0.0.1:1'\n"}, ""},
	} {
		code, stdout, stderr := run(t, homeWith(t), c.line, "DOCKER_HOST", c.env)
		text := stdout + stderr
		for _, want := range c.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing:\n%s", situation, want, text)
			}
		}
		if code != c.code || c.hasNot != "" && strings.Contains(text, c.hasNot) {
			t.Errorf("%s: exit %d, want %d and no %q\n%s", situation, code, c.code, c.hasNot, text)
		}
	}
}

// A login error that does not go away by waiting ends ports follow; the login service continues.
func TestAFirstLoginThatIsHopeless(t *testing.T) {
	for situation, c := range map[string]struct {
		err     error
		patient bool
		ends    bool
	}{
		"the key is not there":         {fmt.Errorf("reading the key: %w", fs.ErrNotExist), false, true},
		"the name has no address":      {&userssh.Error{Stderr: "ssh: Could not resolve hostname nohost.invalid: Name or service not known", Err: errors.New("exit status 255")}, false, true},
		"the docker host is off":       {&userssh.Error{Stderr: "ssh: connect to host build port 22: Connection refused", Err: errors.New("exit status 255")}, false, false},
		"the service, without the key": {fs.ErrNotExist, true, false},
	} {
		ended := false
		f := firstLogin{login: func(context.Context) (follow.Remote, error) { return nil, c.err }, patient: c.patient, end: func() { ended = true }}
		if _, err := f.Login(t.Context()); !errors.Is(err, c.err) || ended != c.ends || (f.failed != nil) != c.ends {
			t.Errorf("%s: ended %v, want %v", situation, ended, c.ends)
		}
	}
	once := firstLogin{login: func(context.Context) (follow.Remote, error) { return nil, fs.ErrNotExist }, tried: true, end: func() { t.Error("a later login ended the run") }}
	_, _ = once.Login(t.Context())
}

// A report about a docker host other than a machine names it in its headings.
func TestReportOfAHostNamesIt(t *testing.T) {
	home := homeWith(t)
	file := home + "/report.txt"
	if _, _, stderr := run(t, home, "doctor --report "+file+" local", "DOCKER_HOST", "unix:///nosuch/docker.sock"); !strings.Contains(stderr, "report written") {
		t.Fatal(stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range []string{"\n== docker host local ==\n", "\n== observed on local, socket ==\n"} {
		if !strings.Contains(string(text), heading) {
			t.Errorf("%q is missing:\n%s", heading, text)
		}
	}
}
