package dockerhost

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

var (
	//go:embed common.sh
	commonScript string
	//go:embed wait.sh
	waitScript string
	//go:embed daemon.sh
	daemonScript string
	//go:embed work.sh
	workScript string
	//go:embed files.sh
	filesScript string
	//go:embed containers.sh
	containersScript string
	//go:embed transaction.sh
	transactionScript string
)

// defaultDeadline is how long dockerd may take to answer after a start. With slow disks, 40 s have
// been seen.
const defaultDeadline = 90 * time.Second

// Swap replaces dockerd's server certificate and restarts dockerd. It is one transaction on the
// docker host, which continues if the connection is cut, and restores From if dockerd does not
// start with To. Neither certificate is secret. The key is not touched, so dockerd works with
// either at any time.
//
// Running it again with the same ID resumes it: that waits for a running transaction, completes one
// that died, or prints the result of a completed one again. A reboot of the docker host deletes all
// transactions; then the certificate file shows how far it got.
type Swap struct {
	// ID identifies the transaction: at most 64 letters, digits and "-". Another attempt needs
	// another ID.
	ID   string
	Cert string // the path of the file on the docker host; symbolic links are followed
	// From is what the file must contain now, byte for byte; empty if there must be no file.
	From, To []byte
	daemon   daemon
}

// restart restarts dockerd and its containers, without changing a file. With StartOnly it leaves
// alone a dockerd that answers.
type restart struct {
	ID        string
	StartOnly bool
	daemon    daemon
}

// daemon is what a transaction must know about dockerd. It follows from Facts.
type daemon struct {
	Init     Init
	Port     int           // dockerd only counts as up if it listens there; 0 if that is not checked
	Socket   string        // "" means defaultSocket
	PIDFile  string        // "" means /var/run/docker.pid
	Deadline time.Duration // 0 means defaultDeadline
}

// limit returns the longest time that a transaction can take, including a rollback and 1000 s for
// starting containers.
func (d daemon) limit() time.Duration {
	return 2*(2*time.Minute+35*time.Second+2*d.deadline()) + 1000*time.Second
}

func (d daemon) deadline() time.Duration {
	if d.Deadline == 0 {
		return defaultDeadline
	}
	return d.Deadline
}

// cmd returns the command that runs or resumes the swap, as root.
func (s Swap) cmd() (host.Cmd, error) {
	switch {
	case len(s.To) == 0:
		return host.Cmd{}, errors.New("swapping the certificate: the new one is empty")
	case bytes.Equal(s.From, s.To):
		return host.Cmd{}, errors.New("swapping the certificate: the new one is the old one")
	case bytes.ContainsRune(s.From, 0) || bytes.ContainsRune(s.To, 0):
		return host.Cmd{}, errors.New("swapping the certificate: it holds a NUL byte")
	case bytes.Contains(s.From, []byte("PRIVATE KEY")) || bytes.Contains(s.To, []byte("PRIVATE KEY")):
		return host.Cmd{}, errors.New("swapping the certificate: it holds a private key")
	case !strings.HasPrefix(s.Cert, "/") || strings.HasSuffix(s.Cert, "/") || strings.ContainsAny(s.Cert, "\x00\n"):
		return host.Cmd{}, fmt.Errorf("swapping the certificate: %q is not an absolute path", s.Cert)
	}
	return transaction(s.ID, "swap", s.daemon, variable{"CERT", s.Cert}, variable{"OLD", string(s.From)}, variable{"NEW", string(s.To)})
}

// cmd returns the command that runs or resumes the restart, as root.
func (r restart) cmd() (host.Cmd, error) {
	mode := "restart"
	if r.StartOnly {
		mode = "start"
	}
	return transaction(r.ID, mode, r.daemon)
}

// hasTransaction returns a command that prints "yes" or "no": whether the docker host has a
// transaction with that ID.
func hasTransaction(id string) (host.Cmd, error) {
	if !validID(id) {
		return host.Cmd{}, fmt.Errorf("transaction id %q", id)
	}
	// It prints a word, because neither the exit status nor stderr is reliable: a failing sudo
	// exits with status 1, too, and its warnings ("unable to resolve host") may mean nothing.
	const test = "if test -d \"/var/run/docker-vpn-helper/$ID\"; then echo yes; else echo no; fi\n"
	return script(asRoot, test, variable{"ID", id}), nil
}

// forgetTransaction returns a command that deletes a transaction whose result has been read.
func forgetTransaction(id string) (host.Cmd, error) {
	if !validID(id) {
		return host.Cmd{}, fmt.Errorf("transaction id %q", id)
	}
	return script(asRoot, "rm -rf \"/var/run/docker-vpn-helper/$ID\"\n", variable{"ID", id}), nil
}

func validID(id string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`).MatchString(id)
}

// transaction returns the command that runs a transaction, or waits for it if it is already running.
func transaction(id, mode string, d daemon, vars ...variable) (host.Cmd, error) {
	if !validID(id) {
		return host.Cmd{}, fmt.Errorf("transaction id %q", id)
	}
	if d.Init != Systemd && d.Init != Upstart && !strings.HasPrefix(string(d.Init), "/") {
		return host.Cmd{}, errors.New("nothing on the docker host is known to restart dockerd: no /etc/init.d/docker, docker.service or /etc/init/docker.conf")
	}
	if d.Socket == "" {
		d.Socket = defaultSocket
	}
	if d.PIDFile == "" {
		d.PIDFile = "/var/run/docker.pid"
	}
	seconds := max(1, int(d.deadline()/time.Second))
	work := script(asRoot, commonScript+daemonScript+workScript+filesScript+containersScript+transactionScript, append([]variable{
		{"ID", id}, {"MODE", mode}, {"INIT", string(d.Init)}, {"PORT", strconv.Itoa(d.Port)},
		{"SOCK", d.Socket}, {"PIDFILE", d.PIDFile}, {"DEADLINE", strconv.Itoa(seconds)},
	}, vars...)...)
	return script(asRoot, commonScript+waitScript, variable{"ID", id}, variable{"WORK", string(work.Stdin)}), nil
}
