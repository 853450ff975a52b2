package fakelaptop

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// call is one call of one of the commands.
type call struct {
	file           string
	w              *State
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

func (c *call) printf(format string, a ...any) { fmt.Fprintf(c.stdout, format, a...) }

func (c *call) fail(exit int, format string, a ...any) int {
	fmt.Fprintf(c.stderr, format+"\n", a...)
	return exit
}

// Commands returns the programs by name. Each takes its arguments and returns its exit status. All
// of them use the State in FAKELAPTOP_FILE.
func Commands() map[string]func(args []string) int {
	out := map[string]func([]string) int{}
	for name, run := range map[string]func(*call) int{
		"route": route, "netstat": netstat, "ifconfig": ifconfig, "ip": ip, "scutil": scutil, "lsof": lsof, "ss": ss, "docker": docker, "sudo": sudo,
		"true": func(*call) int { return 0 }, "sysctl": sysctl, "systemctl": systemctl, "launchctl": launchctl, "service-manager": serviceManager,
	} {
		out[name] = func(args []string) int {
			c := &call{args: args, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
			var err error
			if c.file, err = File(); err == nil {
				c.w, err = Load(c.file)
			}
			if err != nil {
				return c.fail(70, "%s: %v", name, err)
			}
			LogCall(c.file, name, args)
			return run(c)
		}
	}
	return out
}

// LogCall appends a call to outside.log beside the state file.
func LogCall(file, name string, args []string) {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(file), "outside.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, strings.Join(append([]string{name}, args...), " "))
}

// mayChange reports whether this process is root on the laptop.
func (c *call) mayChange() bool { return c.w.Sudo == "root" || os.Getenv("DVH_SUDO") != "" }

// sudo implements sudo [-n] [--] COMMAND….
func sudo(c *call) int {
	ask, args := true, c.args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		ask = ask && args[0] != "-n"
		if args[0] == "--" {
			args = args[1:]
			break
		}
		args = args[1:]
	}
	if c.w.Sudo == "password" {
		if ask {
			return c.fail(1, "sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper")
		}
		return c.fail(1, "sudo: a password is required")
	}
	if len(args) == 0 {
		return 0
	}
	path := args[0]
	if path != "true" {
		// Only the replaced commands: nothing is ever run as root.
		self, err := os.Executable()
		if err != nil {
			return c.fail(1, "sudo: %v", err)
		}
		path = filepath.Join(filepath.Dir(self), filepath.Base(args[0]))
		if _, err := os.Stat(path); err != nil {
			return c.fail(1, "sudo: %s: command not found", args[0])
		}
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.stdin, c.stdout, c.stderr
	cmd.Env = append(os.Environ(), "DVH_SUDO=1")
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		return c.fail(1, "sudo: %v", err)
	}
}

// sysctl knows only the boot's UUID (XNU, bsd/kern/kern_sysctl.c).
func sysctl(c *call) int {
	if c.w.OS != host.Darwin || !slices.Equal(c.args, []string{"-n", "kern.bootsessionuuid"}) {
		return c.fail(1, "sysctl: unknown oid '%s'", strings.Join(c.args, " "))
	}
	c.printf("5F0C0001-B007-4000-8000-%012d\n", c.w.Boots)
	return 0
}

// scutil implements scutil --nc list, or commands on standard input: show KEY, list [PATTERN].
func scutil(c *call) int {
	if slices.Equal(c.args, []string{"--nc", "list"}) {
		c.printf("Available network connection services in the current set (*=enabled):\n")
		return 0
	}
	in, err := io.ReadAll(c.stdin)
	if err != nil {
		return 1
	}
	keys := []string{"State:/Network/Global/DNS", "State:/Network/Global/IPv4"}
	for k := range c.w.Scutil {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for line := range strings.Lines(string(in)) {
		verb, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "show":
			if text, ok := c.w.Scutil[arg]; ok {
				c.printf("%s", text)
			} else {
				c.printf("  No such key\n")
			}
		case "list":
			n := 0
			for _, k := range keys {
				if arg == "" || strings.HasPrefix(k, "State:/Network/Service/") {
					c.printf("  subKey [%d] = %s\n", n, k)
					n++
				}
			}
			if n == 0 {
				c.printf("  no keys\n")
			}
		}
	}
	return 0
}

// parseNet parses 192.168.99, 192.168.99.0/24 and 192.168.99.100 as route does.
func parseNet(s string, mask string) (netip.Prefix, error) {
	addr, bits, found := strings.Cut(s, "/")
	for strings.Count(addr, ".") < 3 {
		addr += ".0"
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}, err
	}
	n := 24
	switch {
	case found:
		if _, err := fmt.Sscanf(bits, "%d", &n); err != nil {
			return netip.Prefix{}, err
		}
	case mask != "":
		n = maskBits(mask)
	}
	return ip.Prefix(n)
}

// maskBits returns the prefix length of a mask such as 255.255.255.0.
func maskBits(mask string) int {
	ip, err := netip.ParseAddr(mask)
	if err != nil || !ip.Is4() {
		return 24
	}
	n := 0
	for _, b := range ip.As4() {
		for ; b != 0; b <<= 1 {
			n++
		}
	}
	return n
}

func dotted(p netip.Prefix) string {
	m := ^(uint32(0xffffffff) >> p.Bits())
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}
