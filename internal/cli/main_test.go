package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// broken is a stream to which nothing can be written.
type broken struct{ error }

func (b broken) Write([]byte) (int, error) { return 0, b.error }

// A repair that succeeded is not called rolled back because its result could not be written.
func TestResultThatDoesNotGetOut(t *testing.T) {
	for err, want := range map[error]struct {
		code int
		said string
	}{
		syscall.ENOSPC: {exitProblems, "docker-vpn-helper: error: writing the result: no space left on device\n"},
		syscall.EPIPE:  {exitOK, ""},
	} {
		for _, args := range [][]string{{"version"}, {"version", "--json"}} {
			var errs bytes.Buffer
			code := Main(args, IO{Stdin: strings.NewReader(""), Stdout: broken{err}, Stderr: &errs, Getenv: func(string) string { return "" }, Version: "test"})
			if code != want.code {
				t.Errorf("%v: exit %d, want %d", args, code, want.code)
			}
			if diff := cmp.Diff(want.said, errs.String()); diff != "" {
				t.Errorf("%v (-want +got):\n%s", args, diff)
			}
		}
	}
}

func TestHelpHasExamplesFirst(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"fix", "--help"}, {"help", "env"}, {"cert", "--help"}, {"guard"}} {
		var out bytes.Buffer
		code := Main(args, IO{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }, Signals: func() <-chan os.Signal { return nil }})
		examples, usage := strings.Index(out.String(), "\nExamples:\n"), strings.Index(out.String(), "\nUsage:\n")
		if code != exitOK || examples < 0 || usage < examples {
			t.Errorf("%v: exit %d\n%s", args, code, out.String())
		}
	}
}

func TestShellThatIsNone(t *testing.T) {
	const list = "bash zsh sh dash ksh fish powershell cmd tcsh csh emacs nu elvish json\n"
	for name, want := range map[string]string{
		"":     "docker-vpn-helper: error: --shell is empty: it takes one of " + list + "docker-vpn-helper: hint: docker-vpn-helper env --help\n",
		"bath": `docker-vpn-helper: error: unsupported shell "bath"; supported: ` + list + "docker-vpn-helper: hint: docker-vpn-helper env --unset --shell bash\n",
	} {
		var out, errs bytes.Buffer
		code := Main([]string{"env", "--unset", "--shell", name}, IO{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
			Getenv: func(string) string { return "/nowhere" }, Laptop: func(s host.Sudo) host.Laptop { return host.NewLocal(s) }, Now: time.Now})
		if diff := cmp.Diff(want, errs.String()); diff != "" || code != exitUsage || out.Len() > 0 {
			t.Errorf("%q: exit %d, stdout %q, stderr (-want +got):\n%s", name, code, out.String(), diff)
		}
	}
}

// A check that a signal interrupted prints nothing about the endpoint; one that --timeout ended
// prints that there was no answer.
func TestWhatEndedALook(t *testing.T) {
	w := &target.Target{Machine: store.Machine{Name: "default"}}
	fix := hint.Hint{{Argv: []string{"docker-vpn-helper", "fix", "default"}, Eval: true}}
	for _, c := range []struct {
		cause error
		want  exitError
	}{
		{errInterrupted, exitError{code: exitInterrupted, message: "interrupted"}},
		{errTimeout, exitError{code: exitProblems, message: errTimeout.Error(), hint: fix}},
		{nil, exitError{code: exitProblems, message: "no answer", hint: fix}},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if c.cause != nil {
			cancel(c.cause)
		}
		a := &app{ctx: ctx}
		got := a.classify(a.notGood(w, errors.New("no answer")))
		if diff := cmp.Diff(&c.want, got, cmp.AllowUnexported(exitError{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.cause, diff)
		}
		cancel(nil)
	}
}

func TestWhatOutranksADockerContext(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"":               {"DOCKER_CONTEXT": "machine-default"},
		"DOCKER_CONTEXT": {"DOCKER_CONTEXT": "other"},
		"DOCKER_HOST":    {"DOCKER_CONTEXT": "machine-default", "DOCKER_HOST": "tcp://localhost:2376"},
	} {
		if got := outranks(func(k string) string { return env[k] }, "machine-default"); got != want {
			t.Errorf("%v: %q, want %q", env, got, want)
		}
	}
}
