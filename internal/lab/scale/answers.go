package scale

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/standin"
)

// VBoxManage's answers are written down beforehand: a stand-in that reads a thousand
// VMs each time that it is asked for one would be most of what is measured.

// record asks the stand-in for everything that will be asked.
func (f *Fleet) record(vms []*standin.VM) error {
	dir := filepath.Join(f.Dir, "answers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	small := filepath.Join(f.Dir, "one")
	for _, vm := range vms {
		if err := standin.Update(small, func(w *standin.World) error {
			w.VMs = []*standin.VM{vm}
			return nil
		}); err != nil {
			return err
		}
		text, err := ask(small, "showvminfo", vm.UUID, "--machinereadable")
		if err != nil {
			return err
		}
		for _, name := range []string{vm.Name, vm.UUID} {
			if err := os.WriteFile(filepath.Join(dir, "showvminfo "+name), text, 0o600); err != nil {
				return err
			}
		}
	}
	for _, what := range []string{"vms", "runningvms"} {
		text, err := ask(f.VBoxHome(), "list", what)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "list "+what), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func ask(home string, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	old := os.Getenv("VBOX_STANDIN_HOME")
	defer os.Setenv("VBOX_STANDIN_HOME", old)
	if err := os.Setenv("VBOX_STANDIN_HOME", home); err != nil {
		return nil, err
	}
	if code := standin.Manage(args, strings.NewReader(""), &out, &errs); code != 0 {
		return nil, fmt.Errorf("VBoxManage %v: exit %d: %s", args, code, errs.String())
	}
	return out.Bytes(), nil
}

// MainVBoxManage is the main function of VBoxManage.
func MainVBoxManage(args []string) int {
	if len(args) < 2 {
		return 2
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(os.Getenv("VBOX_STANDIN_HOME")), "answers", args[0]+" "+args[1]))
	if err != nil {
		fmt.Fprintln(os.Stderr, "VBoxManage: error:", err)
		return 1
	}
	_, _ = os.Stdout.Write(text)
	return 0
}
