package target

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
)

// Kind identifies a form of HOST.
type Kind string

// The forms of HOST. No Target has the Kind Context: opening a context gives the kind of its
// endpoint.
const (
	Machine Kind = "machine" // NAME, machine:NAME
	Local   Kind = "local"
	SSH     Kind = "ssh"     // ssh://[user@]host[:port]
	TCP     Kind = "tcp"     // tcp://host:port
	Context Kind = "context" // context:NAME
)

// Ref is a parsed HOST.
type Ref struct {
	Kind Kind
	Name string // the text after the prefix, such as a machine's name; "" for local
}

// form is one form of HOST. Each form has its own file.
type form struct {
	kind   Kind
	prefix string
	usage  string // as it is written in help
	// parse checks the text after the prefix and returns it in its complete form.
	parse func(rest string) (name string, err error)
	// open makes t the Target of that docker host. It connects to nothing.
	open func(ctx context.Context, t *Target, name string) error
}

// forms has all forms of HOST. It is set in init, because contextForm.open uses it: in an
// initializer that would be a cycle.
var forms []form

func init() { forms = []form{machineForm, localForm, sshForm, tcpForm, contextForm} }

func formOf(k Kind) form {
	return forms[slices.IndexFunc(forms, func(f form) bool { return f.kind == k })]
}

// Usage returns a list of forms for help: "NAME, local or ssh://[user@]host[:port]".
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

// AllKinds returns all forms of HOST.
func AllKinds() []Kind { return []Kind{Machine, Local, SSH, TCP, Context} }

// RefError means that a HOST has none of the forms.
type RefError struct{ Text, Why string }

func (e *RefError) Error() string { return fmt.Sprintf("%q names no docker host: %s", e.Text, e.Why) }

// HasExplicitForm reports whether a text has a form of HOST other than a machine's bare name.
func HasExplicitForm(text string) bool {
	return slices.ContainsFunc(forms, func(f form) bool {
		return f.kind == Local && text == f.prefix || f.kind != Local && f.prefix != "" && strings.HasPrefix(text, f.prefix)
	})
}

// Parse parses a HOST. known reports whether the store has a machine of that name; a machine called
// "local" takes precedence over the form "local". An error is a *RefError or a *store.NameError.
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

// isPort reports whether a text is a port number or "".
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

// String returns the full form, which is unique: "machine:default", "local", "ssh://me@host". It
// returns "" for the zero Ref.
func (r Ref) String() string {
	if r.Kind == "" {
		return ""
	}
	return formOf(r.Kind).prefix + r.Name
}

// Arg returns the form that users write: a machine's bare name, or the full form.
func (r Ref) Arg() string {
	if r.Kind == Machine {
		return r.Name
	}
	return r.String()
}

// Open makes t the Target of the docker host r. t must already have the laptop and the store. It
// connects to nothing. An error means that a machine or a docker context does not exist or cannot
// be read. A config.json that cannot be read is no error, but sets LoadErr.
func (t *Target) Open(ctx context.Context, r Ref) error {
	t.Ref = r
	return formOf(r.Kind).open(ctx, t, r.Name)
}
