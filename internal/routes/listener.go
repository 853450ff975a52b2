package routes

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Listener is a process that listens on a TCP port of the laptop.
type Listener struct {
	PID     int            `json:"pid,omitempty"`     // 0 if another user's process is hidden
	Command string         `json:"command,omitempty"` // the executable's name, perhaps shortened
	Addr    netip.AddrPort `json:"addr"`              // [::] for "any address" of either family
}

// ListenerArgv returns the command that lists the listeners on a port, or on all if port is 0: lsof
// on macOS, ss on Linux, nil on other systems. Only root sees other users' processes. lsof exits
// with 1 if nothing listens.
func ListenerArgv(os string, port int) []string {
	switch {
	case os == host.Darwin && port == 0:
		return []string{"lsof", "-nP", "+c0", "-iTCP", "-sTCP:LISTEN", "-Fpcn"}
	case os == host.Darwin:
		return []string{"lsof", "-nP", "+c0", fmt.Sprintf("-iTCP:%d", port), "-sTCP:LISTEN", "-Fpcn"}
	case os == host.Linux && port == 0:
		return []string{"ss", "-Hltnp"}
	case os == host.Linux:
		return []string{"ss", "-Hltnp", fmt.Sprintf("sport = :%d", port)}
	}
	return nil
}

// ParseListeners parses the output of ListenerArgv's command.
func ParseListeners(os string, out []byte) []Listener {
	if os == host.Darwin {
		return parseLsof(string(out))
	}
	return parseSS(string(out))
}

// parseLsof parses lsof's fields, each a line of a letter and a value: p starts a process, c is its
// command, f starts a file, n is the file's name (lsof(8), "OUTPUT FOR OTHER PROGRAMS").
func parseLsof(out string) []Listener {
	var all []Listener
	var pid int
	var command string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		switch value := line[1:]; line[0] {
		case 'p':
			pid, command = parsePID(value), ""
		case 'c':
			command = strings.ReplaceAll(value, `\x20`, " ") // lsof's escape for a blank
		case 'n':
			if addr, ok := parseAddr(value); ok {
				all = append(all, Listener{PID: pid, Command: command, Addr: addr})
			}
		}
	}
	return all
}

// parseSS parses the rows of `ss -Hltnp`, of the form LISTEN 0 128 127.0.0.1:2376 0.0.0.0:*
// users:(("VBoxHeadless",pid=42,fd=20)).
func parseSS(out string) []Listener {
	user := regexp.MustCompile(`\("(.*?)",pid=([0-9]+),fd=[0-9]+\)`)
	var all []Listener
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 5 || f[0] != "LISTEN" {
			continue
		}
		addr, ok := parseAddr(f[3])
		if !ok {
			continue
		}
		users := user.FindAllStringSubmatch(line, -1)
		if len(users) == 0 {
			all = append(all, Listener{Addr: addr})
		}
		for _, u := range users {
			all = append(all, Listener{PID: parsePID(u[2]), Command: u[1], Addr: addr})
		}
	}
	return all
}

// parsePID returns 0 if s is not a PID.
func parsePID(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// parseAddr parses 127.0.0.1:2376, [::1]:2376, 127.0.0.53%lo:53 and *:2376.
func parseAddr(s string) (netip.AddrPort, bool) {
	if port, ok := strings.CutPrefix(s, "*:"); ok {
		s = "[::]:" + port
	}
	if addr, rest, ok := strings.Cut(s, "%"); ok { // ss names the interface that it is bound to
		i := strings.LastIndex(rest, ":")
		if i < 0 {
			return netip.AddrPort{}, false
		}
		if strings.HasPrefix(addr, "[") {
			addr += "]"
		}
		s = addr + rest[i:]
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return ap, true
}
