package sshhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// maxOutput bounds what one command may print on each stream.
const maxOutput = 16 << 20

// Quote joins argv into one line of which a POSIX shell makes argv again: it is
// the only place where a remote command becomes a string.
func Quote(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = quoteWord(a)
	}
	return strings.Join(words, " ")
}

func quoteWord(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@+", r))
	}) < 0
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Run runs one command in a channel of its own. On a lost connection or a
// context that ends it returns an *Error in StageSession with what had been
// printed; the command may then still be running.
func (c *Client) Run(ctx context.Context, cmd host.Cmd) (host.Output, error) {
	argv := cmd.Argv
	if len(argv) == 0 {
		return host.Output{}, errors.New("ssh: empty command")
	}
	if strings.ContainsRune(strings.Join(append(argv, cmd.Env...), ""), 0) {
		return host.Output{}, fmt.Errorf("ssh: %s: an argument holds a NUL byte", argv[0])
	}
	if len(cmd.Env) > 0 {
		argv = append(append([]string{"env"}, cmd.Env...), argv...)
	}
	sudo := false
	if cmd.Root {
		uid, err := c.loginUID(ctx)
		if err != nil {
			return host.Output{}, err
		}
		if sudo = uid != 0; sudo {
			argv = append([]string{"sudo", "-n"}, argv...)
		}
	}
	out, err := c.exec(ctx, cmd.Argv, Quote(argv), cmd.Stdin)
	if failed, ok := errors.AsType[*host.CmdError](err); ok && sudo && strings.HasPrefix(failed.Stderr, "sudo: ") {
		err = &noSudoError{failed}
	}
	return out, err
}

// noSudoError is a command that sudo did not let through; it is host.ErrNoSudo
// as well as the *host.CmdError with sudo's own words.
type noSudoError struct{ cmd *host.CmdError }

func (e *noSudoError) Error() string   { return e.cmd.Error() }
func (e *noSudoError) Unwrap() []error { return []error{e.cmd, host.ErrNoSudo} }

// loginUID asks once who we are.
func (c *Client) loginUID(ctx context.Context) (int, error) {
	c.mu.Lock()
	uid := c.uid
	c.mu.Unlock()
	if uid >= 0 {
		return uid, nil
	}
	out, err := c.exec(ctx, []string{"id", "-u"}, "echo; id -u", nil)
	if err != nil {
		return 0, err
	}
	// Log-in scripts of the user may print something of their own before it, and not end the line.
	words := strings.Fields(string(out.Stdout))
	if len(words) == 0 {
		return 0, fmt.Errorf("ssh to %s: id -u printed nothing", c.addr)
	}
	uid, err = strconv.Atoi(words[len(words)-1])
	if err != nil || uid < 0 {
		return 0, fmt.Errorf("ssh to %s: id -u printed %q", c.addr, oneLine(string(out.Stdout)))
	}
	c.SetUID(uid)
	return uid, nil
}

func (c *Client) exec(ctx context.Context, argv []string, line string, stdin []byte) (host.Output, error) {
	var stdout, stderr sink
	output := func() host.Output { return host.Output{Stdout: stdout.bytes(), Stderr: stderr.bytes()} }
	ch, reqs, err := c.openSession(ctx)
	if err != nil {
		return host.Output{}, c.denied(c.sessionError(ctx, argv[0], err))
	}
	running := false
	defer func() { closeSoon(ch, running) }()

	type end struct {
		status int
		text   string
	}
	ended := make(chan end, 1)
	go func() {
		e := end{status: -1}
		for r := range reqs {
			switch r.Type {
			case "exit-status":
				var m struct{ Status uint32 }
				if ssh.Unmarshal(r.Payload, &m) == nil {
					e.status = int(m.Status)
				}
			case "exit-signal":
				var m struct {
					Signal     string
					CoreDumped bool
					Error      string
					Lang       string
				}
				if ssh.Unmarshal(r.Payload, &m) == nil {
					// 128 + n as a shell reports it, where n is only known for the usual ones.
					e.status, e.text = 128+signalNumber(m.Signal), "killed by SIG"+m.Signal
				}
			}
			if r.WantReply {
				r.Reply(false, nil)
			}
		}
		ended <- e
	}()
	started, err := await(ctx, func() (bool, error) {
		return ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{line}))
	}, nil)
	if err == nil && !started {
		err = errNoCommands
	}
	if err != nil {
		return host.Output{}, c.denied(c.sessionError(ctx, argv[0], err))
	}

	var copies sync.WaitGroup
	copies.Go(func() { io.Copy(&stdout, ch) })
	copies.Go(func() { io.Copy(&stderr, ch.Stderr()) })
	go func() {
		// A command that does not read its input to the end is not an error.
		io.Copy(ch, bytes.NewReader(stdin))
		ch.CloseWrite()
	}()
	result, err := await(ctx, func() (end, error) {
		copies.Wait()
		return <-ended, nil
	}, nil)
	running = err != nil
	switch {
	case err != nil:
		return output(), c.sessionError(ctx, argv[0], err)
	case stdout.over() || stderr.over():
		return output(), fmt.Errorf("ssh to %s: %s printed more than %d bytes", c.addr, argv[0], maxOutput)
	case result.status < 0:
		return output(), c.sessionError(ctx, argv[0], io.ErrUnexpectedEOF)
	case result.status > 0:
		out := output()
		return out, &host.CmdError{Argv: argv, Exit: result.status, Stdout: string(out.Stdout), Stderr: string(out.Stderr) + result.text}
	}
	return output(), nil
}

func signalNumber(name string) int {
	switch name {
	case "HUP":
		return 1
	case "INT":
		return 2
	case "QUIT":
		return 3
	case "ABRT":
		return 6
	case "KILL":
		return 9
	case "PIPE":
		return 13
	case "ALRM":
		return 14
	case "TERM":
		return 15
	}
	return 0
}

// sink keeps what a command prints, up to maxOutput, and can be read while it is written.
type sink struct {
	mu  sync.Mutex
	buf bytes.Buffer
	big bool
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := min(len(p), maxOutput-s.buf.Len())
	s.buf.Write(p[:keep])
	s.big = s.big || keep < len(p)
	return len(p), nil
}

func (s *sink) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.buf.Bytes())
}

func (s *sink) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.big
}
