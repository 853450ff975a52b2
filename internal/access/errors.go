package access

import (
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

// longest is how much of another program's message is shown.
const longest = 300

// NoCommands is why the docker host runs none of our commands although it let us in: no
// shell, a forced command, a password that has to be changed, no session. It is empty
// where err is something else.
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
	return text.Shorten(text.OneLine(reason), longest)
}

// NoFacts is why the docker host could not be asked, as a sentence.
func NoFacts(err error) string {
	if why := NoCommands(err); why != "" {
		return "the docker host runs no commands for us: " + why
	}
	var failed *sshhost.Error
	if errors.As(err, &failed) {
		err = failed // it names the address and the step
	}
	return "the docker host cannot be reached over SSH: " + text.Shorten(text.OneLine(err.Error()), longest)
}

// HostKeyChanged reports whether the docker host shows another host key than the one
// that is pinned, which only the user can accept.
func HostKeyChanged(err error) bool {
	var failed *sshhost.Error
	return errors.As(err, &failed) && failed.Cause == sshhost.Changed
}
