package cli

import (
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// shellUsage is the help text of --shell.
const shellUsage = "print for the shell `NAME` (default: the calling shell)"

// dialect is what a block is written in: --json is one, and comes before the shell's.
func (a *app) dialect(s site, name string) (shell.Dialect, error) {
	if a.ui.JSON && name == "" {
		return shell.JSON, nil
	}
	d, err := a.shell(s, name)
	if err == nil && a.ui.JSON {
		d = shell.JSON
	}
	return d, err
}

// shell is the one that the user names, else the calling one.
func (a *app) shell(s site, name string) (shell.Dialect, error) {
	if name != "" {
		return shell.Parse(name)
	}
	// Where not all can be read, the nearest are known all the same; $SHELL is second best.
	ancestors, _ := s.laptop.Ancestors(a.ctx)
	d, err := shell.Detect(ancestors, a.Getenv("SHELL"))
	var unknown *shell.UnknownError
	if errors.As(err, &unknown) && unknown.Name == "" {
		// No shell at all, not one that we cannot write for: what reads this
		// from a script or a supervisor hands it to sh.
		return shell.Sh, nil
	}
	return d, err
}

// evaluated is one of our command lines as the calling shell evaluates it, or the bare
// command where it cannot.
func (a *app) evaluated(args ...string) string {
	return a.inShell(hint.Hint{{Argv: append(a.program(), args...), Eval: true}})
}

// inShell is a hint in the syntax of the calling shell, or the bare command where that cannot
// evaluate what it prints.
func (a *app) inShell(h hint.Hint) string {
	if len(h) != 1 || !h[0].Eval {
		return h.String()
	}
	if dialect, err := a.shell(site{laptop: a.Laptop(host.Sudo{})}, ""); err == nil {
		if line, ok := shell.Eval(dialect, h[0].Argv); ok {
			return line
		}
	}
	return hint.Run(h[0].Argv...).String()
}
