package dockerhost

import "github.com/docker-vpn-helper/docker-vpn-helper/internal/host"

// Answer is the parsed output of another package's script.
type Answer struct{ frames }

// ParseAnswer parses the output of a script of that kind. The error is ErrTruncated if its end is
// missing, and an *UnexpectedAnswerError if no such script printed it.
func ParseAnswer(out []byte, kind string) (Answer, error) {
	f, err := parseFrames(out, kind)
	return Answer{f}, err
}

// Names returns the names of the frames.
func (a Answer) Names() []string {
	names := make([]string, 0, len(a.frames))
	for name := range a.frames {
		names = append(names, name)
	}
	return names
}

// Has reports whether there is a frame with that name.
func (a Answer) Has(name string) bool { return a.frames.has(name) }

// Lines returns the lines of a frame.
func (a Answer) Lines(name string) []string { return a.frames[name] }

// Text returns the lines of a frame joined by newlines; "" if there is no such frame.
func (a Answer) Text(name string) string { return a.frames.text(name) }

// RootScript returns a command that runs shell text as root, after setting variables.
func RootScript(text string, variables ...[2]string) host.Cmd {
	return scriptOf(asRoot, text, variables)
}

// Script returns a command that runs shell text as the login user, after setting variables.
func Script(text string, variables ...[2]string) host.Cmd {
	return scriptOf(asUser, text, variables)
}

// scriptOf returns the command for RootScript and Script.
func scriptOf(root bool, text string, variables [][2]string) host.Cmd {
	vars := make([]variable, len(variables))
	for i, v := range variables {
		vars[i] = variable{v[0], v[1]}
	}
	return script(root, text, vars...)
}
