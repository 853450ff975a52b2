package cli

import (
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// shellUsage is the help text of --shell.
const shellUsage = "print for the shell `NAME` (default: the calling shell)"

// dialect returns the syntax in which to print shell variables. With --json that is JSON, even if
// name is a shell.
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

// shell returns the shell that the user names, or the calling shell if name is "".
func (a *app) shell(s site, name string) (shell.Dialect, error) {
	if name != "" {
		return shell.Parse(name)
	}
	// If only some can be read, those are the nearest; $SHELL is the second choice.
	ancestors, _ := s.laptop.Ancestors(a.ctx)
	d, err := shell.Detect(ancestors, a.Getenv("SHELL"))
	var unknown *shell.UnknownError
	if errors.As(err, &unknown) && unknown.Name == "" {
		// There is no shell, as in a script or under a supervisor: what reads the output passes it to
		// sh.
		return shell.Sh, nil
	}
	return d, err
}

// evaluated returns a command line of this program that evaluates its output in the calling shell,
// or the plain command if that shell cannot do so.
func (a *app) evaluated(args ...string) string {
	return a.inShell(hint.Hint{{Argv: append(a.program(), args...), Eval: true}})
}

// inShell returns a hint in the syntax of the calling shell, or the plain command if that shell
// cannot evaluate a command's output.
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
