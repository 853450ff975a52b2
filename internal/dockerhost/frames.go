// Package dockerhost asks and changes a docker host: its facts, transactions on it, and
// what a restart of dockerd stops. The scripts that run there for it are POSIX sh, for
// dash, bash and the busybox ash of boot2docker; they go over stdin, and variables go in
// front of them.
//
// An answer is a list of frames: a line "@@name" and the lines that belong to
// it, each behind a "|". Whatever a file or a log on the docker host holds
// therefore cannot pass for a frame. Anything else, such as what a user's login
// scripts print, is no part of it.
package dockerhost

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

// UnexpectedAnswerError is the output of something else that ran in place of our script: a
// command that sshd or the key's line in authorized_keys forces.
type UnexpectedAnswerError struct{ Said string }

func (e *UnexpectedAnswerError) Error() string {
	if e.Said == "" {
		return "the docker host answers nothing"
	}
	return fmt.Sprintf("the docker host answers %q", e.Said)
}

// ErrTruncated is an answer without its end: the connection or
// the script was cut off.
var ErrTruncated = errors.New("the docker host's answer is cut off")

// frames is one answer. A name that comes twice has the lines of both.
type frames map[string][]string

// parseFrames reads from the line "@@docker-vpn-helper kind" to the line "@@end".
func parseFrames(out []byte, kind string) (frames, error) {
	f := frames{}
	begun, name := false, ""
	for l := range bytes.Lines(out) {
		line := string(bytes.TrimSuffix(l, []byte("\n")))
		switch {
		case line == "@@docker-vpn-helper "+kind:
			begun, name, f = true, "", frames{}
		case !begun:
		case line == "@@end":
			return f, nil
		case strings.HasPrefix(line, "@@"):
			name = line[2:]
			if _, ok := f[name]; !ok {
				f[name] = nil
			}
		case strings.HasPrefix(line, "|") && name != "":
			f[name] = append(f[name], line[1:])
		}
	}
	if !begun {
		return nil, &UnexpectedAnswerError{Said: firstLine(out)}
	}
	return nil, ErrTruncated
}

// text is a frame's lines joined, "" where there is none.
func (f frames) text(name string) string { return strings.Join(f[name], "\n") }

// last is a frame's last line.
func (f frames) last(name string) string {
	if n := len(f[name]); n > 0 {
		return f[name][n-1]
	}
	return ""
}

func (f frames) has(name string) bool { _, ok := f[name]; return ok }

// whole is a file's content as whole() in facts.sh frames it: with a dot
// behind its last byte.
func (f frames) whole(name string) []byte {
	if !f.has(name) {
		return nil
	}
	s, dot := strings.CutSuffix(f.text(name), ".")
	if !dot {
		return nil
	}
	return []byte(s)
}

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return text.Shorten(line, 100)
}

// variable is a shell variable in front of a script.
type variable struct{ name, value string }

// script makes a command of shell text: the text goes over stdin, so it is in
// no process list.
func script(root bool, text string, vars ...variable) host.Cmd {
	var b bytes.Buffer
	for _, v := range vars {
		fmt.Fprintf(&b, "%s=%s\n", v.name, shell.SingleQuoted(v.value))
	}
	// What a login script has printed need not end its line: a title, "echo -n".
	b.WriteString("echo\n")
	b.WriteString(text)
	return host.Cmd{Argv: []string{"sh", "-s"}, Stdin: b.Bytes(), Root: root}
}
