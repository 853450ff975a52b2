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
	"golang.org/x/sys/unix"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

// maxOutput is how many bytes one command may print on each stream.
const maxOutput = 16 << 20

var errNoCommands = errors.New("the server runs no commands")

// Run runs one command in a session of its own. If the connection is lost or ctx ends, it returns
// an *Error in StageSession and the output so far; the command may still be running then.
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
	out, err := c.exec(ctx, cmd.Argv, shell.Command(argv...), cmd.Stdin)
	if failed, ok := errors.AsType[*host.CmdError](err); ok && sudo && strings.HasPrefix(failed.Stderr, "sudo: ") {
		err = &noSudoError{failed}
	}
	return out, err
}

// noSudoError means that sudo refused to run a command. It wraps host.ErrNoSudo and the
// *host.CmdError with sudo's message.
type noSudoError struct{ cmd *host.CmdError }

func (e *noSudoError) Error() string   { return e.cmd.Error() }
func (e *noSudoError) Unwrap() []error { return []error{e.cmd, host.ErrNoSudo} }

// loginUID returns the login user's ID. It asks the docker host once.
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
	// The user's login scripts may print something before it, without a newline.
	words := strings.Fields(string(out.Stdout))
	if len(words) == 0 {
		return 0, fmt.Errorf("ssh to %s: id -u printed nothing", c.addr)
	}
	uid, err = strconv.Atoi(words[len(words)-1])
	if err != nil || uid < 0 {
		return 0, fmt.Errorf("ssh to %s: id -u printed %q", c.addr, text.OneLine(string(out.Stdout)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uid = uid
	return uid, nil
}

// exec runs a line of shell. argv is the command's name in errors.
func (c *Client) exec(ctx context.Context, argv []string, line string, stdin []byte) (host.Output, error) {
	ch, reqs, err := c.openSession(ctx)
	if err != nil {
		return host.Output{}, c.sessionError(ctx, argv[0], err)
	}
	running := false
	defer func() { closeSession(ch, running) }()
	ended := make(chan exit, 1)
	go func() { ended <- exitOf(reqs) }()
	started, err := await(ctx, func() (bool, error) {
		return ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{line}))
	}, nil)
	if err == nil && !started {
		err = errNoCommands
	}
	if err != nil {
		return host.Output{}, c.sessionError(ctx, argv[0], err)
	}

	var stdout, stderr limitedBuffer
	var copies sync.WaitGroup
	copies.Go(func() { io.Copy(&stdout, ch) })
	copies.Go(func() { io.Copy(&stderr, ch.Stderr()) })
	go func() {
		// A command that does not read its input to the end is not an error.
		io.Copy(ch, bytes.NewReader(stdin))
		ch.CloseWrite()
	}()
	end, err := await(ctx, func() (exit, error) {
		copies.Wait()
		return <-ended, nil
	}, nil)
	running = err != nil
	var out host.Output
	var tooMuch, tooMuchErr bool
	out.Stdout, tooMuch = stdout.printed()
	out.Stderr, tooMuchErr = stderr.printed()
	switch {
	case err != nil:
		return out, c.sessionError(ctx, argv[0], err)
	case tooMuch || tooMuchErr:
		return out, fmt.Errorf("ssh to %s: %s printed more than %d bytes", c.addr, argv[0], maxOutput)
	case end.status < 0:
		return out, c.sessionError(ctx, argv[0], io.ErrUnexpectedEOF)
	case end.status > 0:
		return out, &host.CmdError{Argv: argv, Exit: end.status, Stdout: string(out.Stdout), Stderr: string(out.Stderr) + end.killed}
	}
	return out, nil
}

// exit is how a command ended.
type exit struct {
	status int    // -1 if it is not known
	killed string // "killed by SIG…"; "" if no signal killed it
}

// exitOf reads a session's requests until the session ends, and returns the exit status among them.
func exitOf(reqs <-chan *ssh.Request) exit {
	e := exit{status: -1}
	for r := range reqs {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &m) == nil {
				e.status = int(m.Status)
			}
		case "exit-signal":
			var m struct { // RFC 4254, section 6.10
				Signal     string
				CoreDumped bool
				Error      string
				Language   string
			}
			if ssh.Unmarshal(r.Payload, &m) == nil {
				name := "SIG" + m.Signal
				e = exit{128 + int(unix.SignalNum(name)), "killed by " + name} // as a shell reports it
			}
		}
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
	return e
}

// limitedBuffer keeps the first maxOutput bytes of a stream. It can be read while it is being
// written.
type limitedBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	over bool // more was written
}

func (l *limitedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fits := min(len(p), maxOutput-l.buf.Len())
	l.buf.Write(p[:fits])
	l.over = l.over || fits < len(p)
	return len(p), nil
}

// printed returns what has been written so far, and whether more was written than fits.
func (l *limitedBuffer) printed() (data []byte, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes()), l.over
}
