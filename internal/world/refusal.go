package world

import (
	"errors"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/sshhost"
)

// NoCommands says why the docker host runs none of our commands although it let us
// in: no shell, a forced command, a password that has to be changed, no session. It
// is empty where err is something else.
func NoCommands(err error) string {
	var exit *host.CmdError
	var denied *sshhost.Error
	var strange *dockerhost.StrangeAnswerError
	reason := ""
	switch {
	case errors.As(err, &exit):
		reason = exit.Error()
	case errors.As(err, &denied) && denied.Cause == sshhost.Denied:
		reason = denied.Err.Error()
	case errors.As(err, &strange):
		reason = strange.Error()
	}
	return short(reason)
}

// NoFacts says why the docker host could not be asked.
func NoFacts(err error) string {
	if why := NoCommands(err); why != "" {
		return "the docker host runs no commands for us: " + why
	}
	var failed *sshhost.Error
	if errors.As(err, &failed) {
		err = failed // it says where, and what was being done
	}
	return "the docker host cannot be reached over SSH: " + short(err.Error())
}

// HostKeyChanged says whether the docker host shows another host key than the one that
// is pinned, which only the user can accept.
func HostKeyChanged(err error) bool {
	var failed *sshhost.Error
	return errors.As(err, &failed) && failed.Cause == sshhost.Changed
}

// short keeps what others say from filling the screen.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
