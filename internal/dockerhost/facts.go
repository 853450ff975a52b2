package dockerhost

import (
	"crypto"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/text"
)

//go:embed probe.sh
var probeScript string

//go:embed facts.sh
var factsScript string

// Facts is what one script found out about a docker host. A field is zero if it could not be found
// out.
type Facts struct {
	UID int `json:"uid"` // the login user's; -1 if it is not known
	// Root means that the login user is root or becomes root with sudo -n. If not, SudoError is
	// sudo's message.
	Root      bool   `json:"root"`
	SudoError string `json:"sudo_error,omitempty"`

	OSID      string `json:"os_id"`      // os-release ID: "boot2docker", "ubuntu"
	OSVersion string `json:"os_version"` // VERSION_ID
	OSName    string `json:"os_name"`    // PRETTY_NAME
	Boot      string `json:"boot"`       // boot_id, which changes with each boot
	Init      Init   `json:"init"`
	Client    bool   `json:"client"` // the docker command is installed there

	Cert File `json:"cert"`
	Key  File `json:"key"` // without its content
	CA   File `json:"ca"`
	// KeyPublic is the server key's public half, PEM "PUBLIC KEY"; "" if the docker host has no
	// openssl.
	KeyPublic string `json:"-"`

	Daemon  Process  `json:"daemon"` // PID 0 if it is not running
	Hosts   []string `json:"hosts"`  // from dockerd's -H and daemon.json: "tcp://0.0.0.0:2376"
	PIDFile string   `json:"pid_file,omitempty"`

	Now time.Time `json:"now"` // the docker host's clock, to the second
	Log string    `json:"log"` // last line of dockerd's log

	FreeKiB  int64 `json:"free_kib"`  // in the certificate's directory; -1 if it is not known
	ReadOnly bool  `json:"read_only"` // the certificate's file system
}

// Init is what starts and stops dockerd: the path of an init script, Systemd, Upstart, or "" if it
// is not known.
type Init string

// Systemd runs the unit docker.service, Upstart the job /etc/init/docker.conf.
const (
	Systemd Init = "systemd"
	Upstart Init = "upstart"
)

// Process is a process. Start, in clock ticks since boot (/proc/PID/stat, field 22), distinguishes
// it from a later one with the same PID.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

// File is one of dockerd's TLS files.
type File struct {
	Path string `json:"path"`
	// From is where the path is configured: "profile", "command-line", "daemon.json", "default".
	From string `json:"from"`
	// Found means that the file exists and can be read. Error is why it cannot be read.
	Found bool   `json:"found"`
	Error string `json:"error,omitempty"`
	// Data is its content, at most 64 KiB; nil for the key.
	Data []byte `json:"-"`
}

// probe returns the command that prints all facts. It changes nothing. Without root's rights it
// prints what it can.
func probe() host.Cmd {
	return script(asUser, probeScript, variable{"INNER", daemonScript + factsScript})
}

// parseFacts parses the output of probe.
func parseFacts(out []byte) (Facts, error) {
	f, err := parseFrames(out, "facts")
	if err != nil {
		return Facts{}, err
	}
	facts := Facts{
		UID:       number(f.last("uid"), -1),
		SudoError: strings.TrimSpace(f.text("sudo-error")),
		Boot:      f.last("boot"),
		Init:      Init(f.last("init")),
		Client:    f.has("client"),
		Cert:      f.file("cert"),
		Key:       f.file("key"),
		CA:        f.file("ca"),
		PIDFile:   f.last("pidfile"),
		Log:       forMessage(f.last("log")),
		FreeKiB:   int64(number(f.last("free"), -1)),
		ReadOnly:  f.has("read-only"),
	}
	facts.Root = facts.UID == 0 || f.has("sudo")
	facts.Key.Found = f.has("key-readable")
	if pub := f.text("key-public"); strings.HasPrefix(pub, "-----BEGIN PUBLIC KEY-----") {
		facts.KeyPublic = pub + "\n"
	}
	facts.OSID, facts.OSVersion, facts.OSName = osRelease(f["os-release"])
	if pid, start, ok := strings.Cut(f.last("daemon"), " "); ok {
		facts.Daemon.PID = number(pid, 0)
		facts.Daemon.Start, _ = strconv.ParseUint(start, 10, 64)
	}
	facts.Hosts = slices.Clone(f["hosts"])
	for h := range strings.SplitSeq(f.text("json-hosts"), ",") {
		if h = strings.Trim(strings.TrimSpace(h), `"`); h != "" {
			facts.Hosts = append(facts.Hosts, h)
		}
	}
	if s := number(f.last("now"), 0); s > 0 {
		facts.Now = time.Unix(int64(s), 0).UTC()
	}
	return facts, nil
}

// Port returns the first TCP port on which dockerd is configured to listen; 0 if none is known.
func (f Facts) Port() int {
	for _, h := range f.Hosts {
		if n := tcpPort(h); n > 0 {
			return n
		}
	}
	return 0
}

// Listens reports whether dockerd is configured to listen on that TCP port.
func (f Facts) Listens(port int) bool {
	return slices.ContainsFunc(f.Hosts, func(h string) bool { return tcpPort(h) == port })
}

// tcpPort returns the port of "tcp://0.0.0.0:2376"; 0 if there is none.
func tcpPort(listen string) int {
	addr, ok := strings.CutPrefix(listen, "tcp://")
	if !ok {
		return 0
	}
	_, port, err := net.SplitHostPort(strings.TrimRight(addr, "/"))
	if err != nil {
		return 0
	}
	if n := number(port, 0); n > 0 && n < 65536 {
		return n
	}
	return 0
}

// Socket returns the path of the first unix socket on which dockerd is configured to listen, or
// else the default.
func (f Facts) Socket() string {
	for _, h := range f.Hosts {
		if path, ok := strings.CutPrefix(h, "unix://"); ok && strings.HasPrefix(path, "/") {
			return path
		}
	}
	return defaultSocket
}

// NoSocket reports whether dockerd is configured to listen only on TCP.
func (f Facts) NoSocket() bool {
	return len(f.Hosts) > 0 && !slices.ContainsFunc(f.Hosts, func(h string) bool {
		return strings.HasPrefix(h, "unix://") || strings.HasPrefix(h, "fd://")
	})
}

const (
	// defaultSocket is the socket on which dockerd listens by default.
	defaultSocket = "/var/run/docker.sock"
	// maxQuote is how many characters of a log line are shown.
	maxQuote = 500
)

func (f frames) file(name string) File {
	return File{
		Path: f.last(name + "-path"), From: f.last(name + "-from"),
		Found: f.has(name), Error: f.last(name + "-error"), Data: f.whole(name),
	}
}

// osRelease parses the lines of os-release(5): NAME=value, where value may be quoted.
func osRelease(lines []string) (id, version, name string) {
	for _, l := range lines {
		key, value, _ := strings.Cut(l, "=")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch key {
		case "ID":
			id = value
		case "VERSION_ID":
			version = value
		case "PRETTY_NAME":
			name = value
		}
	}
	return id, version, name
}

// number returns the number that s is, or otherwise if s is not a number or is negative.
func number(s string, otherwise int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}

// forMessage returns output of the docker host as a message quotes it.
func forMessage(s string) string { return text.Shorten(strings.ToValidUTF8(s, "?"), maxQuote) }

// PublicKey returns the public half of server-key.pem on the docker host; nil if it is not known.
func (f Facts) PublicKey() crypto.PublicKey {
	block, _ := pem.Decode([]byte(f.KeyPublic))
	if block == nil {
		return nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil
	}
	return key
}
