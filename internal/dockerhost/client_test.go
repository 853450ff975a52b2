package dockerhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// answers is a docker host that answers one command after the other.
type answers struct {
	host.Host
	replies []any // a string or an error for each command
	ran     []string
}

func (a *answers) Run(_ context.Context, c host.Cmd) (host.Output, error) {
	what := "other"
	for _, known := range []string{"MODE='swap'", "MODE='start'", "MODE='restart'", "rm -rf", "test -d"} {
		if strings.Contains(string(c.Stdin), known) || strings.Contains(string(c.Stdin), strings.ReplaceAll(known, "'", `'\''`)) {
			what = known
		}
	}
	a.ran = append(a.ran, what)
	reply := any("")
	if len(a.replies) > 0 {
		reply, a.replies = a.replies[0], a.replies[1:]
	}
	if err, failed := reply.(error); failed {
		return host.Output{}, err
	}
	return host.Output{Stdout: []byte(reply.(string))}, nil
}

const (
	facts   = "@@docker-vpn-helper facts\n@@uid\n|0\n@@init\n|/etc/init.d/docker\n@@end\n"
	swapped = "@@docker-vpn-helper result\n@@outcome\n|swapped\n@@end\n"
)

var errLost = errors.New("the connection is lost")

func (a *answers) client() *Client {
	c := &Client{
		Name: "default", AnswerTime: func() time.Duration { return time.Second }, Notify: func(string, ...any) {},
		Host: func(context.Context) (host.Host, error) { return a, nil },
		Ask:  func(context.Context, host.Cmd) (host.Output, error) { return host.Output{Stdout: []byte(facts)}, nil },
	}
	c.ConnectionLost = func(err error) bool { return errors.Is(err, errLost) }
	return c
}

func TestTransactionWhoseConnectionBreaks(t *testing.T) {
	for name, tt := range map[string]struct {
		replies []any
		ran     []string
		err     error
	}{
		"does_not_break":  {[]any{swapped}, []string{"MODE='swap'", "rm -rf"}, nil},
		"is_asked_again":  {[]any{errLost, swapped}, []string{"MODE='swap'", "MODE='swap'", "rm -rf"}, nil},
		"breaks_again":    {[]any{errLost, errLost}, []string{"MODE='swap'", "MODE='swap'"}, errLost},
		"refused_by_sudo": {[]any{host.ErrNoSudo}, []string{"MODE='swap'"}, host.ErrNoSudo},
		"answer_is_cut":   {[]any{"@@docker-vpn-helper result\n"}, []string{"MODE='swap'"}, ErrTruncated},
		"is_not_over_yet": {[]any{"@@docker-vpn-helper result\n@@outcome\n|interrupted\n@@end\n"}, []string{"MODE='swap'"}, nil},
		"breaks_after_it": {[]any{swapped, errLost}, []string{"MODE='swap'", "rm -rf"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answers{replies: tt.replies}
			_, err := a.client().Swap(t.Context(), Swap{ID: "1", Cert: "/server.pem", From: []byte(oldCert), To: []byte(newCert)})
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.ran, a.ran); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFactsAreAskedForOnceUntilForgotten(t *testing.T) {
	a := &answers{}
	c := a.client()
	c.Ask = func(context.Context, host.Cmd) (host.Output, error) {
		a.ran = append(a.ran, "asked")
		return host.Output{Stdout: []byte(facts)}, nil
	}
	for range 2 {
		if f, err := c.Facts(t.Context()); err != nil || !f.Root || f.Init != "/etc/init.d/docker" {
			t.Errorf("%+v, %v", f, err)
		}
	}
	c.Forget()
	_, _ = c.Facts(t.Context())
	if diff := cmp.Diff([]string{"asked", "asked"}, a.ran); diff != "" {
		t.Error(diff)
	}
}

func TestFactsOfNoUse(t *testing.T) {
	for name, tt := range map[string]struct {
		reply string
		err   error
		want  string
	}{
		"no_answer": {"", io.ErrUnexpectedEOF, "asking default for its facts: unexpected EOF"},
		"no_root":   {"@@docker-vpn-helper facts\n@@uid\n|1000\n@@end\n", nil, "<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answers{}
			c := a.client()
			c.Ask = func(context.Context, host.Cmd) (host.Output, error) {
				return host.Output{Stdout: []byte(tt.reply)}, tt.err
			}
			_, err := c.Facts(t.Context())
			if diff := cmp.Diff(tt.want, fmt.Sprint(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhetherTheDockerHostHasATransaction(t *testing.T) {
	// What a login script prints comes first.
	for reply, want := range map[string]bool{"Welcome\n\nyes\n": true, "\nno\n": false, "": false} {
		a := &answers{replies: []any{reply}}
		if got, err := a.client().HasTransaction(t.Context(), "1"); err != nil || got != want {
			t.Errorf("%q: %t, %v", reply, got, err)
		}
	}
	if _, err := (&answers{}).client().HasTransaction(t.Context(), "../x"); err == nil {
		t.Error("an ID that is none is no error")
	}
}

func TestContainersAreReportedInOneOrder(t *testing.T) {
	for range 20 {
		var lines []string
		c := &Client{Name: "default", Notify: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }}
		c.ReportContainers(Result{Restarted: []string{"db", "web"}, Lost: []string{"tmp"}, Failed: []string{"old: no such image"}})
		want := []string{
			"[default] started again: db, web",
			"[default] gone with the restart (--rm): tmp",
			"[default] not running any more; start them by hand: old: no such image",
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestClockSkewInWords(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for want, clock := range map[string]time.Time{
		"": {}, "the docker host's clock is 2 days behind the laptop's": now.Add(-49 * time.Hour),
		"the docker host's clock is 6m0s ahead of the laptop's": now.Add(6 * time.Minute),
	} {
		if got := DescribeClockSkew(Facts{Now: clock}.ClockSkew(now)); got != want {
			t.Errorf("%s: %q, want %q", clock, got, want)
		}
	}
	if got := DescribeClockSkew(Facts{Now: now.Add(5 * time.Minute)}.ClockSkew(now)); got != "" {
		t.Errorf("five minutes: %q", got)
	}
}

// A start touches no certificate, and on the way back the old one is what is swapped in.
func TestErrorsOfATransactionFitItsDirection(t *testing.T) {
	for name, tt := range map[string]struct {
		r    Result
		want string
	}{
		"nothing_changed":   {Result{Outcome: Unchanged, Reason: "disk full"}, "nothing was changed on box: disk full"},
		"start_fails":       {Result{Outcome: FailedDown, Log: "bad flag"}, "dockerd on box does not start; its log ends with: bad flag"},
		"both_swaps_failed": {Result{Outcome: FailedDown, File: "old", Log: "bad flag"}, "dockerd on box does not start with either certificate; its log ends with: bad flag"},
		"started":           {Result{Outcome: Restarted}, "<nil>"},
	} {
		if got := fmt.Sprint(tt.r.Err("box")); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
