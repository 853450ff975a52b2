package fakelaptop

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

type listener struct {
	pid  int
	name string
	addr netip.AddrPort
}

// listeners returns the real listeners on a TCP port of this computer's loopback, or on all ports
// if port is 0. It reads /proc, if there is one.
func listeners(port int) []listener {
	inodes := map[string]netip.AddrPort{}
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		// sl local_address rem_address st … uid timeout inode
		fields := strings.Fields(s.Text())
		if len(fields) < 10 || fields[3] != "0A" {
			continue
		}
		var ip, p uint32
		if n, _ := fmt.Sscanf(fields[1], "%08X:%04X", &ip, &p); n != 2 || port != 0 && int(p) != port {
			continue
		}
		addr := netip.AddrFrom4([4]byte{byte(ip), byte(ip >> 8), byte(ip >> 16), byte(ip >> 24)})
		inodes["socket:["+fields[9]+"]"] = netip.AddrPortFrom(addr, uint16(p))
	}
	if len(inodes) == 0 {
		return nil
	}
	var out []listener
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		addr, ok := inodes[target]
		if err != nil || !ok {
			continue
		}
		delete(inodes, target)
		pid, _ := strconv.Atoi(strings.Split(fd, "/")[2])
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		name, _, _ := strings.Cut(string(cmdline), "\x00")
		out = append(out, listener{pid: pid, name: filepath.Base(name), addr: addr})
	}
	return out
}

// lsof implements lsof -nP -iTCP[:PORT] -sTCP:LISTEN -F…; without /proc it runs the real one.
func lsof(c *call) int {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		cmd := exec.Command("/usr/sbin/lsof", c.args...)
		cmd.Stdout, cmd.Stderr = c.stdout, c.stderr
		if cmd.Run() != nil {
			return 1
		}
		return 0
	}
	port := 0
	for _, a := range c.args {
		if p, ok := strings.CutPrefix(a, "-iTCP:"); ok {
			port, _ = strconv.Atoi(p)
		}
	}
	found := listeners(port)
	for i, l := range found {
		c.printf("p%d\nc%s\nf%d\nn%s\n", l.pid, l.name, i+5, l.addr)
	}
	if len(found) == 0 {
		return 1
	}
	return 0
}

// ss implements ss -Hltnp and ss -Hltnp 'sport = :PORT'.
func ss(c *call) int {
	_, p, filtered := strings.Cut(strings.Join(c.args, " "), ":")
	port, err := strconv.Atoi(strings.TrimSpace(p))
	if err != nil && filtered {
		return c.fail(1, "ss: bad filter")
	}
	for i, l := range listeners(port) {
		c.printf("LISTEN 0      4096   %s      0.0.0.0:*    users:((%q,pid=%d,fd=%d))\n", l.addr, l.name, l.pid, i+5)
	}
	return 0
}
