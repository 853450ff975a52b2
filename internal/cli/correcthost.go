package cli

import (
	"net"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// localHost is the HOST that means this computer's dockerd.
const localHost = "local"

// meantLocal returns the hint for a name that is "local" or nearly so, or nil. If the command takes
// local and the name is exactly that, the hint is doctor local.
func (a *app) meantLocal(name string) hint.Hint {
	switch {
	case len(nearest(name, []string{localHost}, 1)) == 0:
		return nil
	case name != localHost && a.cmd != nil && strings.Contains(a.cmd.Use, "HOST"):
		return a.corrected(name, localHost)
	}
	return hint.Own("doctor", localHost)
}

// meantHost returns the hint for a HOST written in a wrong form, such as localhost, me@build or
// 127.0.0.1:2376; nil for other texts. If the command takes only machines, the hint is to run
// doctor.
func (a *app) meantHost(text string) hint.Hint {
	meant := hostForm(text)
	switch {
	case meant == "":
		return nil
	case strings.HasPrefix(text, "unix://") && text != "unix://"+target.DefaultSocket:
		return hint.Run("export", "DOCKER_HOST="+text).Then("&&", hint.Own("doctor", localHost))
	case a.cmd != nil && strings.Contains(a.cmd.Use, "HOST") && meant != localHost:
		if line := a.corrected(text, meant); line != nil {
			return line
		}
	}
	return hint.Own("doctor", meant)
}

// hostForm returns the HOST that a text in a wrong form was probably meant to be, or "".
func hostForm(text string) string {
	address, port, err := net.SplitHostPort(text)
	scheme, rest, _ := strings.Cut(text, "://")
	switch {
	case text == "localhost", text == "127.0.0.1", text == "::1", scheme == "unix":
		return localHost
	case rest != "" && (scheme == "http" || scheme == "https"):
		return "tcp://" + strings.Trim(rest, "/")
	case err == nil && port == "22" && address != "":
		return "ssh://" + text
	case err == nil && address != "" && port != "" && strings.Trim(port, "0123456789") == "":
		return "tcp://" + text
	case misspelledForm(text) != "":
		return misspelledForm(text)
	case strings.Contains(text, "@") && !strings.Contains(text, "://"):
		return "ssh://" + text
	}
	return ""
}

// misspelledForm returns what a HOST such as contxt:nix or ssh:/build was probably meant to be, or
// "".
func misspelledForm(text string) string {
	scheme, rest, _ := strings.Cut(text, ":")
	near := nearest(scheme, []string{"ssh", "tcp", "context", "machine"}, 1)
	if rest = strings.TrimLeft(rest, "/"); rest == "" || len(near) == 0 || target.HasExplicitForm(text) {
		return ""
	}
	if near[0] == "ssh" || near[0] == "tcp" {
		return near[0] + "://" + rest
	}
	return near[0] + ":" + rest
}
