package embedded

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakedockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
)

// Programs returns the lab's commands by the names under which this binary is called. Each takes
// its arguments and returns its exit status.
func Programs() map[string]func(args []string) int {
	p := fakelaptop.Commands()
	p["VBoxManage"] = vboxManage
	p["docker-machine"] = dockerMachine
	p["VBoxHeadless"] = func(args []string) int {
		return fakevbox.Headless(args, map[string]fakevbox.Maker{fakedockerhost.Kind: fakedockerhost.Make})
	}
	return p
}

// Dispatch runs this process as one of the lab's programs if it was called as one; otherwise ok is
// false. A binary that makes labs must call it first.
func Dispatch() (code int, ok bool) {
	if code, ok := fakedockerhost.Main(); ok {
		return code, true
	}
	if run := Programs()[filepath.Base(os.Args[0])]; run != nil {
		return run(os.Args[1:]), true
	}
	return 0, false
}

// Link makes a directory of programs out of one binary. extra are further names that the binary
// supports.
func Link(dir, binary string, extra ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	names := extra
	for name := range Programs() {
		names = append(names, name)
	}
	for _, name := range names {
		to := filepath.Join(dir, name)
		if err := os.Link(binary, to); err == nil {
			continue
		}
		data, err := os.ReadFile(binary) // another file system
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// vboxManage runs VBoxManage, and adds the route that the kernel adds when a host-only adapter gets
// an address.
func vboxManage(args []string) int {
	code := fakevbox.Manage(args, os.Stdin, os.Stdout, os.Stderr)
	if code != 0 || len(args) < 3 || args[0] != "hostonlyif" || args[1] != "ipconfig" {
		return code
	}
	i := slices.Index(args, "--ip")
	if i < 0 || i+1 >= len(args) {
		return code
	}
	ip, err := netip.ParseAddr(args[i+1])
	file, ferr := fakelaptop.File()
	if err != nil || ferr != nil {
		return code
	}
	_ = fakelaptop.Update(file, func(w *fakelaptop.State) error {
		w.SetAddress(args[2], netip.PrefixFrom(ip, 24))
		return nil
	})
	return code
}

// Laptop returns the laptop of a program under test: see fakelaptop.NewLaptop.
func Laptop(s host.Sudo) host.Laptop {
	l, err := fakelaptop.NewLaptop(host.NewLocal(s), s)
	if err != nil {
		panic("embedded: " + err.Error()) // started outside of a world
	}
	return l
}
