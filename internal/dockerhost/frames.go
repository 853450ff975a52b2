// Package dockerhost asks and changes a docker host: its facts, transactions on it, and the
// containers that a restart of dockerd stops. It does so with POSIX sh scripts, for dash, bash and
// the busybox ash of boot2docker. A script goes over stdin, with variables in front of it.
//
// A script prints its answer as frames: a line "@@name", and then the lines of the frame, each
// after a "|". Therefore nothing in a file or log on the docker host can be mistaken for a frame.
// Other lines, such as the output of a user's login scripts, are ignored.
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

// UnexpectedAnswerError means that something else ran in place of our script, such as a command
// that sshd or the key's line in authorized_keys forces. Said is the first line of its output.
type UnexpectedAnswerError struct{ Said string }

func (e *UnexpectedAnswerError) Error() string {
	if e.Said == "" {
		return "the docker host answers nothing"
	}
	return fmt.Sprintf("the docker host answers %q", e.Said)
}

// ErrTruncated means that the end of an answer is missing: the connection or the script was cut
// off.
var ErrTruncated = errors.New("the docker host's answer is cut off")

// frames is one answer: the lines of each frame. Frames with the same name are joined.
type frames map[string][]string

// parseFrames parses what is between the lines "@@docker-vpn-helper kind" and "@@end".
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

// text returns the lines of a frame joined by newlines; "" if there is no such frame.
func (f frames) text(name string) string { return strings.Join(f[name], "\n") }

// last returns the last line of a frame; "" if there is none.
func (f frames) last(name string) string {
	if n := len(f[name]); n > 0 {
		return f[name][n-1]
	}
	return ""
}

func (f frames) has(name string) bool { _, ok := f[name]; return ok }

// whole returns the content of a file that whole() in facts.sh printed, with a dot after its last
// byte; nil if it is missing or incomplete.
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

// variable is a shell variable that is set in front of a script.
type variable struct{ name, value string }

// asRoot and asUser are whether a script runs as root or as the login user.
const (
	asRoot = true
	asUser = false
)

// script returns a command that runs shell text. The text goes over stdin, so that no process list
// shows it.
func script(root bool, text string, vars ...variable) host.Cmd {
	var b bytes.Buffer
	for _, v := range vars {
		fmt.Fprintf(&b, "%s=%s\n", v.name, shell.SingleQuoted(v.value))
	}
	// The output of a login script may not end with a newline.
	b.WriteString("echo\n")
	b.WriteString(text)
	return host.Cmd{Argv: []string{"sh", "-s"}, Stdin: b.Bytes(), Root: root}
}
