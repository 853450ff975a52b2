package dockerhost

import "github.com/docker-vpn-helper/docker-vpn-helper/internal/host"

// Answer is what a script of another package has printed, in frames.
type Answer struct{ frames }

// ParseAnswer reads the answer of a script of that kind. What is cut off is ErrTruncated;
// what no such script has printed is an *UnexpectedAnswerError.
func ParseAnswer(out []byte, kind string) (Answer, error) {
	f, err := parseFrames(out, kind)
	return Answer{f}, err
}

// Names are the frames' names.
func (a Answer) Names() []string {
	names := make([]string, 0, len(a.frames))
	for name := range a.frames {
		names = append(names, name)
	}
	return names
}

// Has reports whether there is a frame of that name.
func (a Answer) Has(name string) bool { return a.frames.has(name) }

// Lines are the lines of a frame.
func (a Answer) Lines(name string) []string { return a.frames[name] }

// Text is a frame's lines joined, "" where there is none.
func (a Answer) Text(name string) string { return a.frames.text(name) }

// RootScript is shell text as a command that root runs, with variables in front of it.
func RootScript(text string, variables ...[2]string) host.Cmd {
	return scriptWith(true, text, variables)
}

// Script is the same as a command of the user who is logged in.
func Script(text string, variables ...[2]string) host.Cmd {
	return scriptWith(false, text, variables)
}

func scriptWith(root bool, text string, variables [][2]string) host.Cmd {
	vars := make([]variable, len(variables))
	for i, v := range variables {
		vars[i] = variable{v[0], v[1]}
	}
	return script(root, text, vars...)
}
