package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakelaptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
)

// Open returns the lab that the environment names, for a program in it.
func Open() (*Lab, error) {
	file, err := fakelaptop.File()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &Lab{Dir: filepath.Dir(file), Home: os.Getenv("HOME"), Bin: filepath.Dir(exe), watch: os.Getenv("FAKEVBOX_WATCH")}
	dir := cmp.Or(os.Getenv("MACHINE_STORAGE_PATH"), filepath.Join(w.Home, ".docker", "machine"))
	if w.Store, err = fakestore.Open(dir); err != nil {
		return nil, err
	}
	v, err := fakevbox.Load(w.VBoxHome())
	if err != nil {
		return nil, err
	}
	for _, vm := range v.VMs { // some may have been removed, so use the highest number
		n := 0
		if _, err := fmt.Sscanf(vm.UUID[len(vm.UUID)-12:], "%x", &n); err == nil {
			w.others = max(w.others, n)
		}
	}
	return w, nil
}

func printVersion() int {
	version := "0.16.2"
	if file, err := fakelaptop.File(); err == nil {
		if l, err := fakelaptop.Load(file); err == nil {
			version = cmp.Or(l.DockerMachine, version)
		}
	}
	fmt.Printf("docker-machine version %s, build bd45ab13\n", version)
	return 0
}

// dockerMachine implements docker-machine create [-d DRIVER] NAME, rm [-f|-y] NAME, and --version.
func dockerMachine(args []string) int {
	fail := func(format string, a ...any) int {
		fmt.Fprintf(os.Stderr, format+"\n", a...)
		return 1
	}
	name, verb, sure := "", "", false
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--version" || a == "-v":
			return printVersion()
		case a == "-s" || a == "--storage-path":
			if i++; i < len(args) {
				os.Setenv("MACHINE_STORAGE_PATH", args[i])
			}
		case a == "-d" || a == "--driver":
			i++
		case a == "-f" || a == "-y" || a == "--force":
			sure = true
		case strings.HasPrefix(a, "-"):
			if !strings.Contains(a, "=") {
				i++
			}
		case verb == "":
			verb = a
		default:
			name = a
		}
	}
	if verb != "create" && verb != "rm" || name == "" {
		return fail("docker-machine: '%s' is not a docker-machine command here. See 'docker-machine --help'.", verb)
	}
	w, err := Open()
	if err != nil {
		return fail("docker-machine: %v", err)
	}
	fakelaptop.LogCall(w.LaptopFile(), "docker-machine", args)
	if verb == "rm" {
		if err := w.remove(name, sure); err != nil {
			return fail("Error removing host %q: %v", name, err)
		}
		return 0
	}
	if _, err := os.Stat(filepath.Join(w.Store.Dir, "machines", name)); err == nil {
		return fail("Host already exists: %q", name)
	} else if !os.IsNotExist(err) {
		return fail("docker-machine: %v", err.(*fs.PathError))
	}
	fmt.Println("Running pre-create checks...\n(" + name + ") Creating VirtualBox VM...")
	m, err := w.Add(MachineOptions{Options: fakestore.Options{Name: name}})
	if err != nil {
		return fail("Error creating machine: %v", err)
	}
	if err := w.Start(name); err != nil {
		return fail("Error creating machine: Error in driver during machine creation: %v", err)
	}
	o, err := fakelaptop.Load(w.LaptopFile())
	if err != nil {
		return fail("docker-machine: %v", err)
	}
	// It ends with a TLS check over the host-only address (docker/toolbox#744).
	if !o.Reaches(m.IP) {
		return fail("Error creating machine: Error checking the host: Error checking and/or regenerating the certs: There was an error validating certificates for host %q: dial tcp %[1]s: i/o timeout", m.IP+":2376")
	}
	fmt.Println("Docker is up and running!")
	return 0
}

// remove removes a machine and its VM, after confirmation on stdin. A missing VM is no error
// (docker/machine b170508b, drivers/virtualbox/virtualbox.go, Remove).
func (w *Lab) remove(name string, sure bool) error {
	fmt.Printf("About to remove %s\nWARNING: This action will delete both local reference and remote instance.\n", name)
	if !sure {
		fmt.Print("Are you sure? (y/n): ")
		answer := ""
		if _, err := fmt.Scanln(&answer); err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
			return nil
		}
	}
	if vm := w.vm(name); vm != nil {
		if vm.State == "running" {
			if _, err := w.VBoxManage("controlvm", name, "poweroff"); err != nil {
				return err
			}
			if err := Await(name+" to be off", func() bool { return w.vm(name).State == "poweroff" }); err != nil {
				return err
			}
		}
		if _, err := w.VBoxManage("unregistervm", name, "--delete"); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(w.GuestDir(name)), os.RemoveAll(filepath.Join(w.Store.Dir, "machines", name))); err != nil {
		return err
	}
	fmt.Println("Successfully removed " + name)
	return nil
}
