package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/vmchange"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockercli"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cmdline"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/useraction"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// The hint is in the dialect of the VirtualBox that printed the error.
func TestHintForAMissingAdapter(t *testing.T) {
	const network = "VBoxManage hostonlynet add --name docker-machine --netmask 255.255.255.0 --lower-ip 192.168.99.1 --upper-ip 192.168.99.254 --enable"
	for _, c := range []struct{ os, version, want string }{
		{"darwin", "6.1.50r161033", "VBoxManage hostonlyif create"},
		{"darwin", "7.0.20r163906", network},
		{"darwin", "7.2.4r170995", network},
		{"linux", "7.2.4_Debianr170995", "VBoxManage hostonlyif create"},
	} {
		laptop := hosttest.New(t, []byte("-- computer --\nos "+c.os+"\n-- $ VBoxManage --version --\n"+c.version+"\n"))
		a := &app{ctx: t.Context(), IO: IO{Laptop: func(host.Sudo) host.Laptop { return laptop }}}
		if got := a.classify(fmt.Errorf("starting the VM: %w", &vbox.Error{Kind: vbox.HostOnlyMissing})).hint.String(); got != c.want {
			t.Errorf("%s, VirtualBox %s: %q", c.os, c.version, got)
		}
	}
}

// After a no to a question, "nothing was changed" is printed only if it is true.
func TestCancelledTellsWhetherSomethingWasChanged(t *testing.T) {
	a := &app{ui: ui.New(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" })}
	refused := fmt.Errorf("reissue: %w", ui.ErrRefused)
	if got := a.classify(refused).message; got != "Cancelled; nothing was changed" {
		t.Errorf("before any change: %q", got)
	}
	ui.Sink{UI: a.ui}.Event(engine.Event{Kind: engine.Reverting, Change: &vmchange.AddRule{}})
	if got := a.classify(refused).message; got != "Cancelled" {
		t.Errorf("after a change was reverted: %q", got)
	}
}

var knownPrograms = sync.OnceValues(func() (cmdline.Programs, error) { return cmdline.Known("../../docs/man") })

// hintsExist checks that the hints of an error are commands that their programs accept.
func hintsExist(t *testing.T, of, stderr string) {
	t.Helper()
	known, err := knownPrograms()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range cmdline.Printed(stderr) {
		if err := known.Check(line, cmdline.Laptop{OS: host.Linux}); err != nil {
			t.Errorf("%s: its hint: %v", of, err)
		}
	}
}

// Every kind of error of a run has a hint that exists, on a laptop with VirtualBox and on one
// without any program.
func TestHintsOfErrorsAreCommandsThatExist(t *testing.T) {
	const virtualBox = "-- computer --\nos linux\n-- $ VBoxManage --version --\n7.0.20r163906\n"
	rollback := &engine.RollbackError{Machine: "default", Err: io.EOF, Left: io.ErrUnexpectedEOF}
	for name, err := range map[string]error{
		"undo refused":                  &engine.RefusedError{Machine: "default", Err: io.EOF},
		"undo refused, no machine":      &engine.RefusedError{Err: io.EOF},
		"undo refused, with its reason": &engine.RefusedError{Machine: "default", Err: &vbox.Error{Kind: vbox.KernelDriver}},
		"journal unread":                &engine.UnreadableError{Machine: "default", Err: io.EOF},
		"journal unread, no machine":    &engine.UnreadableError{Err: io.EOF},
		"rollback":                      rollback,
		"rollback, no machine":          &engine.RollbackError{Err: io.EOF, Left: io.ErrUnexpectedEOF},
		"rollback of a reissue":         fmt.Errorf("reissue: %w", rollback),
		"timeout":                       errTimeout,
		"deadline":                      context.DeadlineExceeded,
		"reference":                     &target.RefError{},
		"no context":                    &dockercli.NoContextError{Name: "x"},
		"no machine":                    &store.NotFoundError{Name: "x", Known: []string{"default"}},
		"no machine at all":             &store.NotFoundError{Name: "x"},
		"local, no machine at all":      &store.NotFoundError{Name: "local"},
		"name":                          &store.NameError{Name: "../default"},
		"config":                        &store.ConfigError{Path: "/config.json", Err: io.EOF},
		"shell":                         &shell.UnknownError{Name: "frobshell"},
		"yes":                           &ui.NeedsYes{},
		"sudo":                          &host.SudoError{Argv: []string{"sudo", "ip", "route", "add", "192.168.99.0/24", "dev", "vboxnet0"}},
		"user action":                   &useraction.Required{Text: "x", Hint: hint.Own("fix", "default")},
		"port":                          &virtualbox.PortError{Text: "x", Hint: hint.Own("fix", "--port", "2377", "default")},
		"verdict":                       &engine.VerdictError{Status: engine.Fail, Finding: engine.Finding{Hint: hint.Own("doctor", "default")}},
		"verdict unknown":               &engine.VerdictError{Status: engine.Unknown, Finding: engine.Finding{Hint: hint.Own("doctor", "default")}},
		"kernel driver":                 &vbox.Error{Kind: vbox.KernelDriver},
		"adapter":                       &vbox.Error{Kind: vbox.HostOnlyMissing},
		"no VirtualBox":                 virtualbox.ErrNotInstalled,
		"VirtualBox's other errors":     &vbox.Error{Kind: vbox.Locked},
		"dockerd down":                  &dockerhost.DaemonDown{},
		"path":                          &fs.PathError{Op: "open", Path: "/nowhere/at/all", Err: fs.ErrNotExist},
	} {
		for _, computer := range []string{virtualBox, "-- computer --\nos linux\n"} {
			var stderr bytes.Buffer
			laptop := hosttest.New(t, []byte(computer))
			a := &app{ctx: t.Context(), args: []string{"fix", "default"},
				IO: IO{Laptop: func(host.Sudo) host.Laptop { return laptop }, Getenv: func(string) string { return "" }},
				ui: ui.New(strings.NewReader(""), io.Discard, &stderr, func(string) string { return "" })}
			a.root()
			a.report(fmt.Errorf("repairing: %w", err))
			if len(cmdline.Printed(stderr.String())) == 0 {
				t.Errorf("%s has no hint: %s", name, &stderr)
			}
			hintsExist(t, name, stderr.String())
		}
	}
}
