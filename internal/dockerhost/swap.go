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

// defaultDeadline is how long dockerd may take to answer after a start: slow disks
// have been seen to need 40 s.
const defaultDeadline = 90 * time.Second

// Swap replaces dockerd's server certificate and restarts dockerd: one
// transaction on the docker host, which goes on when the connection is cut,
// and puts From back where dockerd does not come up with To. Neither certificate
// is secret, and the key is not touched: dockerd works with either at any time.
//
// The same ID again resumes: it waits for a transaction that runs, finishes one
// that died, and prints again the result of one that is over. After a reboot
// of the docker host nothing is left of an ID, and the certificate file decides.
type Swap struct {
	// ID names the transaction: letters, digits, "-"; at most 64. A new try needs a new one.
	ID   string
	Cert string // path on the docker host; symbolic links are followed
	// From is what the file must hold now, byte for byte; empty means that there is no file.
	From, To []byte
	daemon   daemon
}

// restart stops and starts dockerd, and its containers again, without
// touching a file. StartOnly leaves alone a dockerd that answers.
type restart struct {
	ID        string
	StartOnly bool
	daemon    daemon
}

// daemon is what a transaction must know of dockerd; Facts has it all.
type daemon struct {
	Init     Init
	Port     int           // must listen before dockerd counts as up; 0: not checked
	Socket   string        // "" means defaultSocket
	PIDFile  string        // "" means /var/run/docker.pid
	Deadline time.Duration // 0 means defaultDeadline
}

// limit is how long a transaction can take at most, rollback and a thousand
// seconds of starting containers included: the time to give to Run.
func (d daemon) limit() time.Duration {
	return 2*(2*time.Minute+35*time.Second+2*d.deadline()) + 1000*time.Second
}

func (d daemon) deadline() time.Duration {
	if d.Deadline == 0 {
		return defaultDeadline
	}
	return d.Deadline
}

// cmd is the command that runs, or resumes, the transaction as root.
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

// cmd is the command that runs, or resumes, the restart as root.
func (r restart) cmd() (host.Cmd, error) {
	mode := "restart"
	if r.StartOnly {
		mode = "start"
	}
	return transaction(r.ID, mode, r.daemon)
}

// hasTransaction asks whether the docker host has a transaction of an ID.
func hasTransaction(id string) (host.Cmd, error) {
	if !validID(id) {
		return host.Cmd{}, fmt.Errorf("transaction id %q", id)
	}
	// The answer is a word: sudo's own failure has exit status 1, too, and its warnings
	// on stderr ("unable to resolve host") may mean nothing.
	const test = "if test -d \"/var/run/docker-vpn-helper/$ID\"; then echo yes; else echo no; fi\n"
	return script(true, test, variable{"ID", id}), nil
}

// forgetTransaction removes a transaction whose result has been read.
func forgetTransaction(id string) (host.Cmd, error) {
	if !validID(id) {
		return host.Cmd{}, fmt.Errorf("transaction id %q", id)
	}
	return script(true, "rm -rf \"/var/run/docker-vpn-helper/$ID\"\n", variable{"ID", id}), nil
}

func validID(id string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`).MatchString(id)
}

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
	work := script(true, commonScript+daemonScript+workScript+filesScript+containersScript+transactionScript, append([]variable{
		{"ID", id}, {"MODE", mode}, {"INIT", string(d.Init)}, {"PORT", strconv.Itoa(d.Port)},
		{"SOCK", d.Socket}, {"PIDFILE", d.PIDFile}, {"DEADLINE", strconv.Itoa(seconds)},
	}, vars...)...)
	return script(true, commonScript+waitScript, variable{"ID", id}, variable{"WORK", string(work.Stdin)}), nil
}
