// Package hostrules keeps small sets of files on a docker host: scripts that load packet
// filters, what they load, and what runs them at every boot. No program of ours is there.
//
// A set that was installed is not confirmed at first. Then it is only below /var/run, which a
// reboot forgets, and the docker host reverts it by itself once its time is over. It lasts
// from its confirmation on.
package hostrules

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

var (
	//go:embed rules.sh
	rulesScript string
	//go:embed read.sh
	readScript string
	//go:embed lasting.sh
	lastingScript string
	//go:embed main.sh
	mainScript string
)

// Lock is the beginning of the scripts of a set: each waits for the one lock on the docker
// host, unless the caller has it. What stays in the background must close descriptor 9.
//
//go:embed lock.sh
var Lock string

// Set is what one part of the program keeps on a docker host.
type Set struct {
	Name string `json:"name"` // of its directory
	// Files are in that directory. Two are scripts: apply makes the kernel what the directory
	// says, remove takes all that apply may have made out of it. Both may run again and again.
	Files map[string]string `json:"files"`
	// Units are files of systemd, by their path below /etc/systemd/system. "@DIR@" in them is
	// the directory. Those in Start are enabled and started.
	Units map[string]string `json:"units"`
	Start []string          `json:"start"`
	// Boot is where boot2docker runs apply: bootsync.sh before dockerd, bootlocal.sh after it.
	Boot string `json:"boot"`
}

// Equal reports whether two sets are the same.
func (s *Set) Equal(other *Set) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.Name == other.Name && maps.Equal(s.Files, other.Files) && maps.Equal(s.Units, other.Units) && slices.Equal(s.Start, other.Start) && s.Boot == other.Boot
}

// Between reports whether the set, which may be nil, is what a change from one set to
// another leaves when it is done or stopped halfway.
func (s *Set) Between(one, other *Set) bool {
	if s == nil {
		return true
	}
	for _, files := range []func(*Set) map[string]string{(*Set).files, (*Set).units} {
		for name, text := range files(s) {
			was, inOne := files(one)[name]
			is, inOther := files(other)[name]
			if (!inOne || was != text) && (!inOther || is != text) {
				return false
			}
		}
	}
	return true
}

func (s *Set) files() map[string]string {
	if s == nil {
		return nil
	}
	return s.Files
}

func (s *Set) units() map[string]string {
	if s == nil {
		return nil
	}
	return s.Units
}

// State is what a docker host has of a set.
type State struct {
	Systemd   bool
	AtBoot    bool   // something there can run apply at a boot
	Dir       string // where the set is, or would be
	Installed *Set   // what lasts; nil: nothing does
	Pending   *Pending
	// Session is SSH_CONNECTION of the session that asked, "" if there is none:
	// client's address and port, docker host's address and port.
	Session string
	Saved   string // what Remove has kept
}

// Pending is a set that was applied and not confirmed.
type Pending struct {
	Set   Set
	Token string
	Left  time.Duration // until it is reverted
}

// ErrNotPending reports that nothing is to be confirmed.
var ErrNotPending = errors.New("nothing waits for a confirmation on the docker host")

// ScriptError is a step that failed on the docker host.
type ScriptError struct{ Step, Said string }

func (e *ScriptError) Error() string {
	if e.Said == "" {
		return e.Step + " failed on the docker host"
	}
	return e.Step + " failed on the docker host: " + e.Said
}

// Read asks what there is of a set.
func Read(ctx context.Context, h host.Host, name string) (State, error) {
	a, err := ask(ctx, h, request{mode: "read", set: Set{Name: name}})
	if err != nil {
		return State{}, err
	}
	s := State{Systemd: a.Text("init") == "systemd", AtBoot: a.Text("init") != "other", Dir: a.Text("dir"), Session: a.Text("session"), Saved: strings.TrimSuffix(a.Text("saved"), "\n")}
	if a.Has("installed") {
		s.Installed = setOf(a, name, "")
	}
	if a.Has("pending") {
		token, left, _ := strings.Cut(a.Text("pending"), " ")
		seconds, _ := strconv.Atoi(left)
		s.Pending = &Pending{Set: *setOf(a, name, "pending "), Token: token, Left: time.Duration(seconds) * time.Second}
	}
	return s, nil
}

func setOf(a dockerhost.Answer, name, prefix string) *Set {
	s := &Set{Name: name, Files: map[string]string{}, Units: map[string]string{}, Boot: a.Text(prefix + "boot")}
	for _, frame := range a.Names() {
		for kind, to := range map[string]map[string]string{"file ": s.Files, "unit ": s.Units} {
			if file, ok := strings.CutPrefix(frame, prefix+kind); ok {
				to[file] = strings.TrimSuffix(a.Text(frame), ".")
			}
		}
	}
	for _, line := range a.Lines(prefix + "start") {
		if line != "" {
			s.Start = append(s.Start, line)
		}
	}
	return s
}

// Install applies a set. It lasts at once if within is 0; else the docker host reverts it
// after that time, unless it is confirmed by then. After an error everything is as before.
func Install(ctx context.Context, h host.Host, s Set, token string, within time.Duration) error {
	_, err := ask(ctx, h, request{mode: "install", set: s, token: token, within: within})
	return err
}

// Confirm makes a set last. An empty token is that of whatever waits for a confirmation.
func Confirm(ctx context.Context, h host.Host, name, token string) error {
	a, err := ask(ctx, h, request{mode: "confirm", set: Set{Name: name}, token: token})
	if err == nil && a.Has("none") {
		err = ErrNotPending
	}
	return err
}

// Revert reverts a set that was not confirmed, now. The token is as in Confirm.
func Revert(ctx context.Context, h host.Host, name, token string) error {
	_, err := ask(ctx, h, request{mode: "revert", set: Set{Name: name}, token: token})
	return err
}

// Remove takes a set away, from the kernel and from the disk. What is to be kept for later is
// in saved.
func Remove(ctx context.Context, h host.Host, s Set, saved string) error {
	_, err := ask(ctx, h, request{mode: "remove", set: s, saved: saved})
	return err
}

// request is what the script is asked to do.
type request struct {
	mode         string
	set          Set
	token, saved string
	within       time.Duration
}

func ask(ctx context.Context, h host.Host, r request) (dockerhost.Answer, error) {
	script := rulesScript + readScript + lastingScript + mainScript
	out, err := h.Run(ctx, dockerhost.RootScript(script+r.stage()+"main\n",
		[2]string{"MODE", r.mode}, [2]string{"NAME", r.set.Name}, [2]string{"TOKEN", r.token}, [2]string{"SAVED", r.saved},
		[2]string{"WITHIN", strconv.Itoa(int(r.within / time.Second))}, [2]string{"ROOT", ""}, [2]string{"SELF", script}))
	if err != nil {
		return dockerhost.Answer{}, err
	}
	a, err := dockerhost.ParseAnswer(out.Stdout, "rules")
	if err != nil {
		return a, fmt.Errorf("changing rules on the docker host: %w", err)
	}
	if a.Has("failed") {
		return a, &ScriptError{Step: a.Text("failed"), Said: strings.TrimSpace(a.Text("said"))}
	}
	return a, nil
}

// stage is the shell function that writes the files of the set.
func (r request) stage() string {
	var b strings.Builder
	b.WriteString("stage() {\n")
	for _, files := range []struct {
		dir string
		of  map[string]string
	}{{"$1", r.set.Files}, {"$2", r.set.Units}} {
		for _, name := range slices.Sorted(maps.Keys(files.of)) {
			fmt.Fprintf(&b, "put \"%s\"/%s %s %s\n", files.dir, shell.SingleQuoted(path.Dir(name)), shell.SingleQuoted(path.Base(name)), shell.SingleQuoted(files.of[name]))
		}
	}
	start := strings.Join(r.set.Start, "\n")
	if start != "" {
		start += "\n"
	}
	fmt.Fprintf(&b, "put \"${1%%/*}\" start %s\nput \"${1%%/*}\" boot %s\n}\n", shell.SingleQuoted(start), shell.SingleQuoted(r.set.Boot))
	return b.String()
}
