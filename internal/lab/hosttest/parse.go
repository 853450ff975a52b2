// Package hosttest reads a laptop from a text file. The file is a transcript in the txtar format:
// what a computer has, and what its commands print. Computer is a host.Laptop that behaves like it.
// To add a computer, add a file.
//
//	macOS 12.6, VirtualBox 6.1.38, AnyConnect 4.10 connected.
//	Source: where the outputs below were seen.
//
//	-- computer --
//	os darwin
//	path VBoxManage /usr/local/bin/VBoxManage
//	link vboxnet0 bridge up 192.168.99.1/24
//	link utun0 tun up 10.8.0.2/32
//	process 4242 vpnagentd /opt/cisco/anyconnect/bin/vpnagentd -execv_instance
//	ancestor zsh
//	taken 2376
//	silent 192.168.99.100:*
//	-- /Users/ann/.docker/machine/machines/default/config.json --
//	{"ConfigVersion": 3}
//	-- /etc/secret => permission denied --
//	-- $ VBoxManage showvminfo default --machinereadable --
//	name="default"
//	-- $ VBoxManage showvminfo other => exit 1 --
//	-- stderr --
//	VBoxManage: error: Could not find a registered machine named 'other'
//	-- # route -n add -net 192.168.99 -interface vboxnet0 => scene repaired --
//	-- scene repaired --
//	-- $ route -n get 192.168.99.100 --
//	  interface: vboxnet0
//
// The text before the first section is for people: which computer it is, and the source of its
// outputs.
//
// "computer" has facts, each on a line: os NAME; path PROGRAM FILE; link NAME KIND up|down
// [PREFIX…], with KIND "-" if unknown; route IP LINK DST [GATEWAY]; process PID NAME [ARGS…], or
// foreign for another user's; ancestor NAME, the parent first; taken PORT; privileged PORT; and how
// connections end, open|refused|silent|down|unreachable ADDRESS:PORT, with PORT "*" for all others.
// down and unreachable are EHOSTDOWN and EHOSTUNREACH, at once. Connections that are not listed are
// refused.
//
// "/path" is a file. With "=> permission denied" or another error it cannot be read.
//
// "$ command" is a command and its output, "# command" one that needs root. "=> exit N" sets its
// exit status, "=> hang" means that it never ends, "=> scene NAME" switches to another scene after
// it; they can be combined: "=> exit 1 => scene NAME". Words are split at blanks, unless they are
// in '…' or "…", and a backslash quotes the next character. The program is compared by its last
// path element, the rest word by word. "stdin" and "stderr" after a command belong to it; a command
// with stdin matches only that input.
//
// "scene NAME" begins a scene, to which a command switches. Its sections replace the initial ones,
// and each kind of fact in it replaces the initial facts of that kind.
package hosttest

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// scene is what a computer has and answers from some moment on.
type scene struct {
	facts    map[string][][]string // kind -> the fields of each line
	files    map[string]file
	commands map[string]*command // by key
}

type file struct {
	data []byte
	err  error
}

type command struct {
	argv           []string
	root           bool
	stdout, stderr string
	stdin          *string
	exit           int
	hang           bool
	next           string // scene
}

// key returns a text that is different for different commands.
func key(argv []string, root bool) string {
	prompt := "$"
	if root {
		prompt = "#"
	}
	words := slices.Clone(argv)
	words[0] = path.Base(words[0])
	for i, w := range words {
		words[i] = quote(w)
	}
	return prompt + " " + strings.Join(words, " ")
}

// input separates a command's key from its standard input.
const input = "\n<"

// Parse parses a transcript.
func Parse(data []byte) (*Computer, error) {
	c := &Computer{scenes: map[string]*scene{}}
	name := ""
	c.scenes[name] = newScene()
	var last *command
	for _, f := range txtar.Parse(data).Files {
		here := c.scenes[name]
		head, marks, _ := strings.Cut(f.Name, " => ")
		head = strings.TrimSpace(head)
		kind, rest, _ := strings.Cut(head, " ")
		wrong := func(format string, args ...any) error {
			return fmt.Errorf("section %q: %w", f.Name, fmt.Errorf(format, args...))
		}
		switch {
		case kind == "$" || kind == "#":
			cmd, err := parseCommand(rest, marks)
			if err != nil {
				return nil, wrong("%w", err)
			}
			cmd.root, cmd.stdout = kind == "#", string(f.Data)
			k := key(cmd.argv, cmd.root)
			if here.commands[k] != nil {
				return nil, wrong("twice in one scene")
			}
			here.commands[k], last = cmd, cmd
			continue
		case (head == "stderr" || head == "stdin") && last != nil:
			if head == "stderr" {
				last.stderr = string(f.Data)
				continue
			}
			// The same command may be there once for each input.
			text, k := string(f.Data), key(last.argv, last.root)
			if last.stdin = &text; here.commands[k] == last {
				delete(here.commands, k)
			}
			if here.commands[k+input+text] != nil {
				return nil, wrong("twice in one scene")
			}
			here.commands[k+input+text] = last
			continue
		case head == "computer":
			if err := here.addFacts(string(f.Data)); err != nil {
				return nil, wrong("%w", err)
			}
		case kind == "scene" && rest != "":
			if name = strings.TrimSpace(rest); c.scenes[name] != nil {
				return nil, wrong("twice")
			}
			c.scenes[name] = newScene()
		case strings.HasPrefix(head, "/"):
			here.files[path.Clean(head)] = file{f.Data, fileError(marks)}
		default:
			return nil, wrong("neither computer, scene, a file, a command, nor stdin or stderr after one")
		}
		last = nil
	}
	for _, s := range c.scenes {
		for k, cmd := range s.commands {
			if cmd.next != "" && c.scenes[cmd.next] == nil {
				return nil, fmt.Errorf("%s leads to the scene %q, which there is not", k, cmd.next)
			}
		}
	}
	if len(c.scenes[""].facts["os"]) == 0 {
		return nil, errors.New("the section computer names no os")
	}
	return c, nil
}

func newScene() *scene {
	return &scene{facts: map[string][][]string{}, files: map[string]file{}, commands: map[string]*command{}}
}

func parseCommand(line, marks string) (*command, error) {
	argv, err := split(line)
	if err != nil {
		return nil, err
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("no command")
	}
	cmd := &command{argv: argv}
	for mark := range strings.SplitSeq(marks, " => ") {
		word, value, _ := strings.Cut(strings.TrimSpace(mark), " ")
		switch {
		case word == "" && marks == "":
		case word == "exit":
			if cmd.exit, err = strconv.Atoi(value); err != nil || cmd.exit < 0 || cmd.exit > 255 {
				return nil, fmt.Errorf("%q is no exit status", value)
			}
		case word == "hang" && value == "":
			cmd.hang = true
		case word == "scene" && value != "":
			cmd.next = strings.TrimSpace(value)
		default:
			return nil, fmt.Errorf("%q is neither exit N, hang nor scene NAME", mark)
		}
	}
	return cmd, nil
}

func fileError(mark string) error {
	switch mark = strings.TrimSpace(mark); mark {
	case "":
		return nil
	case "permission denied":
		return fs.ErrPermission
	case "not there":
		return fs.ErrNotExist
	}
	return errors.New(mark)
}

// fewest returns the minimum number of fields for a kind of fact; -1 for an unknown kind.
func fewest(kind string) int {
	switch kind {
	case "os", "ancestor", "taken", "privileged", "open", "refused", "silent", "down", "unreachable":
		return 1
	case "path", "process", "foreign":
		return 2
	case "link", "route":
		return 3
	}
	return -1
}

func (s *scene) addFacts(text string) error {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		kind, fields := fields[0], fields[1:]
		n := fewest(kind)
		if n < 0 {
			return fmt.Errorf("%q is no kind of fact", kind)
		}
		if len(fields) < n {
			return fmt.Errorf("%q has too few words", strings.TrimSpace(line))
		}
		var err error
		switch kind {
		case "link":
			_, err = parseLink(fields)
		case "route":
			_, _, err = parseRoute(fields)
		case "process", "foreign", "taken", "privileged":
			_, err = strconv.Atoi(fields[0])
		}
		if err != nil {
			return fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
		}
		s.facts[kind] = append(s.facts[kind], fields)
	}
	return nil
}

func parseLink(f []string) (host.Link, error) {
	l := host.Link{Name: f[0], Kind: f[1], Up: f[2] == "up"}
	if l.Kind == "-" {
		l.Kind = ""
	}
	if !l.Up && f[2] != "down" {
		return l, fmt.Errorf("%q is neither up nor down", f[2])
	}
	for _, a := range f[3:] {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return l, err
		}
		l.Addrs = append(l.Addrs, p)
	}
	return l, nil
}

func parseRoute(f []string) (ip netip.Addr, r host.Route, err error) {
	if ip, err = netip.ParseAddr(f[0]); err != nil {
		return ip, r, err
	}
	r.Link = f[1]
	if r.Dst, err = netip.ParsePrefix(f[2]); err != nil {
		return ip, r, err
	}
	if len(f) > 3 {
		r.Gateway, err = netip.ParseAddr(f[3])
	}
	return ip, r, err
}
