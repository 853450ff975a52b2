package fakevbox

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// StopAll cuts the power of every VM, so that no process remains. A VM process that does not answer
// is killed by its PID.
func StopAll(home string) error {
	w, err := Load(home)
	if err != nil {
		return err
	}
	var errs []error
	for _, vm := range w.VMs {
		if !vm.live() {
			continue
		}
		_, err := ask(home, vm.UUID, "poweroff")
		if err == nil || errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			continue // off, or gone already
		}
		if vm.PID > 1 {
			err = syscall.Kill(vm.PID, syscall.SIGKILL)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("stopping VM %s: %w", vm.Name, err))
		}
	}
	return errors.Join(errs...)
}
