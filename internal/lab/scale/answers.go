package scale

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/standin"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// VBoxManage's answers are written down beforehand: a stand-in that reads a thousand
// VMs each time that it is asked for one would be most of what is measured.

// record asks the stand-in for everything that will be asked.
func (f *Fleet) record(vms []*standin.VM) error {
	dir := filepath.Join(f.Dir, "answers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	write := func(home string, args ...string) error {
		text, err := ask(home, args...)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, answerTo(args)), text, 0o600)
	}
	small := filepath.Join(f.Dir, "one")
	for _, vm := range vms {
		if err := standin.Update(small, func(w *standin.World) error {
			w.VMs = []*standin.VM{vm}
			return nil
		}); err != nil {
			return err
		}
		if err := errors.Join(write(small, vbox.ShowVM(vm.UUID)...), write(small, vbox.GuestProperty(vm.Name, vbox.GuestAddrProperty(1))...)); err != nil {
			return err
		}
	}
	return errors.Join(write(f.VBoxHome(), vbox.ListVMs()...), write(f.VBoxHome(), vbox.ListRunning()...), write(f.VBoxHome(), vbox.ShowVersion()...))
}

// answerTo is the file with the answer to a question.
func answerTo(args []string) string { return strings.ReplaceAll(strings.Join(args, " "), "/", "_") }

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
	text, err := os.ReadFile(filepath.Join(filepath.Dir(os.Getenv("VBOX_STANDIN_HOME")), "answers", answerTo(args)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "VBoxManage: error:", err)
		return 1
	}
	_, _ = os.Stdout.Write(text)
	return 0
}
