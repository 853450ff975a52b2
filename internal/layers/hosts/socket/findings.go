package socket

import (
	"fmt"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

var findings engine.Table

var (
	open       = findings.OK("socket.ok", "dockerd listens on %s")
	missing    = findings.Fail("socket.missing", "%s does not exist: dockerd is not running", page("missing"))
	notThere   = findings.Fail("socket.missing", "DOCKER_HOST names %s, which does not exist", hint.Shell("unset DOCKER_HOST"))
	dangling   = findings.Fail("socket.missing", "%s is a link to a socket that does not exist: dockerd is not running", page("missing"))
	refused    = findings.Fail("socket.refused", "%s exists, but no program listens on it: dockerd has stopped", page("refused"))
	noSocket   = findings.Fail("socket.not-a-socket", "%s is a %s, not a socket", page("not-a-socket"))
	denied     = findings.Fail("socket.denied", "this user may not connect to %s%s", page("denied"))
	notMember  = findings.Fail("socket.denied", "%s may not connect to %s: not a member of group %s", page("denied"))
	newMember  = findings.Fail("socket.denied", "%s is a member of group %s, but this session started before that: it may not connect to %s", page("denied"))
	busy       = findings.Fail("socket.busy", "%s accepts no more connections: dockerd does not answer those that wait", page("busy"))
	otherError = findings.Unknown("socket.unknown", "connecting to %s: %s", page("unknown"))
)

// page returns the command that explains a code.
func page(code string) hint.Hint { return hint.Explain("socket." + code) }

func (s State) Findings() []engine.Finding { return []engine.Finding{s.finding()} }

func (s State) finding() engine.Finding {
	switch {
	case (s.Refused || s.Missing) && (s.Is == "file" || s.Is == "directory"):
		return noSocket.Advising(hint.Run("ls", "-ld", s.Path)).Found(s.Path, s.Is)
	case s.Missing && s.Named && s.Is == "":
		return notThere.Found(s.Path)
	case s.Missing && s.Is == "link":
		return s.starting(dangling).Found(s.Path)
	case s.Missing:
		return s.starting(missing).Found(s.Path)
	case s.Refused:
		return s.starting(refused).Found(s.Path)
	case s.Denied && s.InGroup:
		return newMember.Advising(hint.Run("newgrp", s.Group)).Found(s.User, s.Group, s.Path)
	case s.Denied && s.User != "" && s.Group != "" && s.Group != "root" && s.Group != "wheel":
		return notMember.Advising(hint.Run("sudo", "usermod", "-aG", s.Group, s.User)).Found(s.User, s.Path, s.Group)
	case s.Denied && s.Listing != "":
		return denied.Found(s.Path, fmt.Sprintf(" (%s)", s.Listing))
	case s.Denied:
		return denied.Found(s.Path, "")
	case s.Busy:
		return busy.Found(s.Path)
	case s.Error != "":
		return otherError.Found(s.Path, s.Error)
	}
	return open.Found(s.Path)
}

// starting adds the hint that starts dockerd, if the command is known.
func (s State) starting(d engine.Definition) engine.Definition {
	if len(s.Start) == 0 {
		return d
	}
	return d.Advising(hint.Run(s.Start...))
}
