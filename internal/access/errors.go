package access

import (
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

// maxQuote is how many characters of another program's message are shown.
const maxQuote = 300

// NoCommands returns why the docker host does not run our commands after a successful login: no
// shell, a forced command, a password that must be changed, no session. It returns "" if err is
// something else.
func NoCommands(err error) string {
	var exit *host.CmdError
	var denied *sshhost.Error
	var unexpected *dockerhost.UnexpectedAnswerError
	reason := ""
	switch {
	case errors.As(err, &exit):
		reason = exit.Error()
	case errors.As(err, &denied) && denied.Cause == sshhost.Denied:
		reason = denied.Err.Error()
	case errors.As(err, &unexpected):
		reason = unexpected.Error()
	}
	return text.Shorten(text.OneLine(reason), maxQuote)
}

// NoFacts returns why the docker host could not be asked for its facts, as a sentence.
func NoFacts(err error) string {
	if why := NoCommands(err); why != "" {
		return "the docker host runs no commands for us: " + why
	}
	var failed *sshhost.Error
	if errors.As(err, &failed) {
		err = failed // it names the address and the step
	}
	return "the docker host cannot be reached over SSH: " + text.Shorten(text.OneLine(err.Error()), maxQuote)
}

// HostKeyChanged reports whether err means that the docker host's key is not the pinned one. Only
// the user can accept that.
func HostKeyChanged(err error) bool {
	var failed *sshhost.Error
	return errors.As(err, &failed) && failed.Cause == sshhost.Changed
}
