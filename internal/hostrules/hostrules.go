// Package hostrules keeps small sets of files on a docker host: scripts that load packet
// filter rules, the rules, and the units that run the scripts at every boot. The docker host
// needs nothing else; docker-vpn-helper itself is not installed there.
//
// A new set is pending until it is confirmed: it exists only below /var/run, which a reboot
// empties, and the docker host reverts it when its time is up. Confirming makes it permanent.
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
	//go:embed permanent.sh
	permanentScript string
	//go:embed main.sh
	mainScript string
)

// Lock is the first part of a set's scripts. It changes to the set's directory, then takes the
// one lock that all such scripts on the docker host share, unless the caller already has it
// (DVH_LOCKED). A background process must close descriptor 9, or it keeps the lock.
//
//go:embed lock.sh
var Lock string

// Set is the files that one command (guard, allow) keeps on a docker host.
type Set struct {
	Name string `json:"name"` // also the name of its directory
	// Files maps names in that directory to contents. Two of them are scripts: apply loads the
	// rules into the kernel, remove removes everything that apply may have loaded. Running
	// either of them again changes nothing.
	Files map[string]string `json:"files"`
	// Units maps paths below /etc/systemd/system to contents, in which "@DIR@" stands for the
	// directory. The units named in Start are enabled and started.
	Units map[string]string `json:"units"`
	Start []string          `json:"start"`
	// Boot is the boot2docker script that runs apply: bootsync.sh runs before dockerd, bootlocal.sh after it.
	Boot string `json:"boot"`
}

// Equal reports whether two sets are the same.
func (s *Set) Equal(other *Set) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.Name == other.Name && maps.Equal(s.Files, other.Files) && maps.Equal(s.Units, other.Units) && slices.Equal(s.Start, other.Start) && s.Boot == other.Boot
}

// Between reports whether every file of s is as in before or as in after. That holds while and
// after a set is replaced by another one. Each of the three may be nil: no files.
func (s *Set) Between(before, after *Set) bool {
	if s == nil {
		return true
	}
	for _, files := range []func(*Set) map[string]string{(*Set).files, (*Set).units} {
		for name, text := range files(s) {
			old, inBefore := files(before)[name]
			replaced, inAfter := files(after)[name]
			if (!inBefore || old != text) && (!inAfter || replaced != text) {
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

// State describes a set on a docker host.
type State struct {
	Systemd   bool
	AtBoot    bool     // systemd or boot2docker can run apply at boot
	Dir       string   // the set's directory, whether it exists or not
	Installed *Set     // the permanent set; nil if there is none
	Pending   *Pending // the unconfirmed set; nil if there is none
	// Session is $SSH_CONNECTION of the SSH session in which the docker host was asked: the
	// client's address and port, the docker host's address and port. "" outside of SSH.
	Session string
	Saved   string // the text that Remove saved
}

// Pending is a set that is applied but not confirmed.
type Pending struct {
	Set   Set
	Token string        // identifies this change
	Left  time.Duration // until it is reverted
}

// ErrNotPending means that there is nothing to confirm.
var ErrNotPending = errors.New("no change is waiting for confirmation on the docker host")

// ScriptError is a step that failed on the docker host.
type ScriptError struct {
	Step   string
	Output string // of the command that failed
}

func (e *ScriptError) Error() string {
	if e.Output == "" {
		return e.Step + " failed on the docker host"
	}
	return e.Step + " failed on the docker host: " + e.Output
}

// Read asks the docker host for the state of the set called name.
func Read(ctx context.Context, h host.Host, name string) (State, error) {
	a, err := ask(ctx, h, request{mode: "read", set: Set{Name: name}})
	if err != nil {
		return State{}, err
	}
	s := State{Systemd: a.Text("init") == "systemd", AtBoot: a.Text("init") != "other", Dir: a.Text("dir"), Session: a.Text("session"), Saved: strings.TrimSuffix(a.Text("saved"), "\n")}
	if a.Has("installed") {
		s.Installed = parseSet(a, name, "")
	}
	if a.Has("pending") {
		token, left, _ := strings.Cut(a.Text("pending"), " ")
		seconds, _ := strconv.Atoi(left)
		s.Pending = &Pending{Set: *parseSet(a, name, "pending "), Token: token, Left: time.Duration(seconds) * time.Second}
	}
	return s, nil
}

// parseSet reads a set from the frames that read.sh prints. Their names begin with prefix.
func parseSet(a dockerhost.Answer, name, prefix string) *Set {
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

// Install applies a set. If within is 0 the set is permanent at once; otherwise the docker host reverts it
// after that time unless Confirm is called first. If Install fails, it has restored the previous rules.
func Install(ctx context.Context, h host.Host, s Set, token string, within time.Duration) error {
	_, err := ask(ctx, h, request{mode: "install", set: s, token: token, within: within})
	return err
}

// Confirm makes the pending set permanent. With a token it does so only for the change that the
// token identifies. Returns ErrNotPending if there is no such change.
func Confirm(ctx context.Context, h host.Host, name, token string) error {
	a, err := ask(ctx, h, request{mode: "confirm", set: Set{Name: name}, token: token})
	if err == nil && a.Has("none") {
		err = ErrNotPending
	}
	return err
}

// Revert reverts the pending set at once. The token is as in Confirm.
func Revert(ctx context.Context, h host.Host, name, token string) error {
	_, err := ask(ctx, h, request{mode: "revert", set: Set{Name: name}, token: token})
	return err
}

// Remove unloads a set's rules and deletes its files. It keeps the text saved for Read; "" keeps none.
func Remove(ctx context.Context, h host.Host, s Set, saved string) error {
	_, err := ask(ctx, h, request{mode: "remove", set: s, saved: saved})
	return err
}

// request holds the parameters of the script; rules.sh describes them.
type request struct {
	mode         string // read, install, confirm, revert or remove
	set          Set
	token, saved string
	within       time.Duration
}

func ask(ctx context.Context, h host.Host, r request) (dockerhost.Answer, error) {
	script := rulesScript + readScript + permanentScript + mainScript
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
		return a, &ScriptError{Step: a.Text("failed"), Output: strings.TrimSpace(a.Text("said"))}
	}
	return a, nil
}

// stage returns the shell function "stage FILES_DIR UNITS_DIR", which writes the set's files.
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
