package scale

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakevbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// VBoxManage's answers are written down beforehand: a stand-in that reads a thousand
// VMs each time that it is asked for one would be most of what is measured.

// record asks the stand-in for everything that will be asked.
func (f *Fleet) record(vms []*fakevbox.VM) error {
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
		if err := fakevbox.Update(small, func(w *fakevbox.VirtualBox) error {
			w.VMs = []*fakevbox.VM{vm}
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

// Unregister makes VirtualBox forget all VMs: what is in the store has been created
// by another user, or removed by hand.
func (f *Fleet) Unregister() error {
	old, err := filepath.Glob(filepath.Join(f.Dir, "answers", "showvminfo *"))
	if err != nil {
		return err
	}
	for _, file := range old {
		err = errors.Join(err, os.Remove(file))
	}
	for _, list := range [][]string{vbox.ListVMs(), vbox.ListRunning()} {
		err = errors.Join(err, os.WriteFile(filepath.Join(f.Dir, "answers", answerTo(list)), nil, 0o600))
	}
	return err
}

// Calls counts what VBoxManage has been asked since the last time, by its first argument.
func (f *Fleet) Calls() (map[string]int, error) {
	file := filepath.Join(f.Dir, "calls")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	calls := map[string]int{}
	for line := range strings.Lines(string(text)) {
		verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		calls[verb]++
	}
	return calls, os.Remove(file)
}

// answerTo is the file with the answer to a question.
func answerTo(args []string) string { return strings.ReplaceAll(strings.Join(args, " "), "/", "_") }

func ask(home string, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	old := os.Getenv("FAKEVBOX_HOME")
	defer os.Setenv("FAKEVBOX_HOME", old)
	if err := os.Setenv("FAKEVBOX_HOME", home); err != nil {
		return nil, err
	}
	if code := fakevbox.Manage(args, strings.NewReader(""), &out, &errs); code != 0 {
		return nil, fmt.Errorf("VBoxManage %v: exit %d: %s", args, code, errs.String())
	}
	return out.Bytes(), nil
}

// MainVBoxManage is the main function of VBoxManage.
func MainVBoxManage(args []string) int {
	dir := filepath.Dir(os.Getenv("FAKEVBOX_HOME"))
	text, err := os.ReadFile(filepath.Join(dir, "answers", answerTo(args)))
	if err := errors.Join(count(filepath.Join(dir, "calls"), args), err); err != nil {
		fmt.Fprintln(os.Stderr, "VBoxManage: error:", err)
		return 1
	}
	_, _ = os.Stdout.Write(text)
	return 0
}

// count adds a line to a file that many VBoxManage write at once.
func count(file string, args []string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(args, " ") + "\n")
	return errors.Join(err, f.Close())
}
