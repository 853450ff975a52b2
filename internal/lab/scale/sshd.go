package scale

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// sshd answers for the docker hosts of all healthy machines. What one is asked, the
// one real docker host is asked the first time only: another computer's work must
// not be counted as the laptop's.
type sshd struct {
	config *ssh.ServerConfig
	real   func() (*ssh.Client, error)

	mu      sync.Mutex
	answers map[string]*answer
}

// answer is how a command ended.
type answer struct {
	once           sync.Once
	stdout, stderr []byte
	exit           uint32
	err            error
}

func (d *sshd) serve(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, d.config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		if c.ChannelType() != "session" {
			_ = c.Reject(ssh.Prohibited, "sessions only")
			continue
		}
		ch, requests, err := c.Accept()
		if err != nil {
			return
		}
		go d.session(ch, requests)
	}
}

func (d *sshd) session(ch ssh.Channel, requests <-chan *ssh.Request) {
	defer ch.Close()
	for r := range requests {
		var exec struct{ Command string }
		if r.Type != "exec" || ssh.Unmarshal(r.Payload, &exec) != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		stdin, err := io.ReadAll(ch)
		if err != nil {
			return
		}
		a := d.ask(exec.Command, stdin)
		_, _ = ch.Write(a.stdout)
		_, _ = ch.Stderr().Write(a.stderr)
		_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{a.exit}))
		return
	}
}

func (d *sshd) ask(command string, stdin []byte) *answer {
	key := command + "\x00" + string(stdin)
	d.mu.Lock()
	a := d.answers[key]
	if a == nil {
		a = &answer{}
		d.answers[key] = a
	}
	d.mu.Unlock()
	a.once.Do(func() {
		if a.err = a.fill(d.real, command, stdin); a.err != nil {
			a.exit, a.stderr = 255, []byte(a.err.Error())
		}
	})
	return a
}

func (a *answer) fill(real func() (*ssh.Client, error), command string, stdin []byte) error {
	client, err := real()
	if err != nil {
		return fmt.Errorf("logging in to the real docker host: %w", err)
	}
	defer client.Close()
	s, err := client.NewSession()
	if err != nil {
		return err
	}
	var stdout, stderr bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err = s.Run(command)
	a.stdout, a.stderr = stdout.Bytes(), stderr.Bytes()
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		a.exit, err = uint32(exit.ExitStatus()), nil
	}
	return err
}
