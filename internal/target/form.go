package target

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// Kind is a form of HOST.
type Kind string

// The forms of HOST. No Target has the kind Context: to open a context gives one of its
// endpoint's kind.
const (
	Machine Kind = "machine" // NAME, machine:NAME
	Local   Kind = "local"
	SSH     Kind = "ssh"     // ssh://[user@]host[:port]
	TCP     Kind = "tcp"     // tcp://host:port
	Context Kind = "context" // context:NAME
)

// Ref is what HOST names.
type Ref struct {
	Kind Kind
	Name string // what stands behind the prefix; a machine's name; "" for local
}

// form is one form of HOST. Each is in a file of its own.
type form struct {
	kind   Kind
	prefix string
	usage  string // as help writes it
	// parse completes and checks what stands behind the prefix.
	parse func(rest string) (name string, err error)
	// open makes a bare Target one of that docker host. Nothing is connected to yet.
	open func(ctx context.Context, t *Target, name string) error
}

// forms are all forms of HOST. init fills them in, because contextForm.open uses them itself: to
// Go that would be a cycle.
var forms []form

func init() { forms = []form{machineForm, localForm, sshForm, tcpForm, contextForm} }

func formOf(k Kind) form {
	return forms[slices.IndexFunc(forms, func(f form) bool { return f.kind == k })]
}

// Usage lists forms as help writes them: "NAME, local or ssh://[user@]host[:port]".
func Usage(kinds ...Kind) string {
	var all []string
	for _, f := range forms {
		if slices.Contains(kinds, f.kind) {
			all = append(all, f.usage)
		}
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// AllKinds are all forms of HOST.
func AllKinds() []Kind { return []Kind{Machine, Local, SSH, TCP, Context} }

// RefError is a HOST that is written as none can be.
type RefError struct{ Text, Why string }

func (e *RefError) Error() string { return fmt.Sprintf("%q names no docker host: %s", e.Text, e.Why) }

// Written reports whether a text is written as a form of HOST other than a machine's bare name.
func Written(text string) bool {
	return slices.ContainsFunc(forms, func(f form) bool {
		return f.kind == Local && text == f.prefix || f.kind != Local && f.prefix != "" && strings.HasPrefix(text, f.prefix)
	})
}

// Parse reads a HOST. known reports whether the store has a machine of a name: such a
// machine outranks the form "local". The error is a *RefError or a *store.NameError.
func Parse(text string, known func(machine string) bool) (Ref, error) {
	if text == localForm.prefix && !known(text) {
		return Ref{Kind: Local}, nil
	}
	for _, f := range forms {
		rest, ok := strings.CutPrefix(text, f.prefix)
		if !ok || f.kind == Local {
			continue
		}
		name, err := f.parse(rest)
		return Ref{f.kind, name}, err
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		return Ref{}, &RefError{text, "there is no form " + scheme + "://"}
	}
	return Ref{Machine, text}, store.ValidName(text)
}

// isPort reports whether a text is a port, or empty.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

// String is the name in full, which is unique: "machine:default", "local", "ssh://me@host"; ""
// where none is named.
func (r Ref) String() string {
	if r.Kind == "" {
		return ""
	}
	return formOf(r.Kind).prefix + r.Name
}

// Arg is how a user writes it: a machine by its bare name.
func (r Ref) Arg() string {
	if r.Kind == Machine {
		return r.Name
	}
	return r.String()
}

// Open makes a bare Target, one with the laptop and the store, the one that a HOST names.
// Nothing is connected to yet. The error is about what is on the laptop: a machine or a
// docker context that is not there or cannot be read. A config.json that cannot be read is
// LoadErr.
func (t *Target) Open(ctx context.Context, r Ref) error {
	t.Ref = r
	return formOf(r.Kind).open(ctx, t, r.Name)
}
