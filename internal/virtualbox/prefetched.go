package virtualbox

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// maxAtOnce is how many VBoxManage may run at a time. Each is a process, and all wait for one
// VBoxSVC.
const maxAtOnce = 8

// prefetch has VirtualBox's answers about all VMs.
type prefetch struct {
	direct *Manager      // asks without waiting for a slot
	limit  time.Duration // for each question

	listed  chan struct{} // closed when the next four fields are set
	ok      bool          // VirtualBox has listed its VMs; others do not exist
	inOrder []vbox.VMRef
	uuids   map[string]string // by name
	vms     map[string]*answer

	running chan struct{} // closed when the questions about running VMs are answered
	all     chan struct{} // closed when all questions are answered

	slots    chan struct{} // full while maxAtOnce VBoxManage run
	timeouts atomic.Int32  // questions in a row that timed out
}

// answer is what VirtualBox answers about a VM. It is set when ready is closed.
type answer struct {
	ready chan struct{}
	vm    vbox.VM
	err   error
}

var errUnresponsive = errors.New("VBoxManage is hanging: VirtualBox's service does not answer")

// unresponsive returns an error once VirtualBox is given up: when the list of VMs timed out, or
// maxAtOnce questions in a row. A single VM that hangs does not mean that others do.
func (p *prefetch) unresponsive() error {
	if p.timeouts.Load() >= maxAtOnce {
		return errUnresponsive
	}
	return nil
}

// refs waits for the list of VMs; ok is false if VirtualBox did not answer.
func (p *prefetch) refs(ctx context.Context) (refs []vbox.VMRef, ok bool, err error) {
	select {
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	case <-p.listed:
		return p.inOrder, p.ok, nil
	}
}

// vm waits for the answer about a VM, given its name or UUID. ok is false if the caller must ask
// VirtualBox itself. For a VM that VirtualBox has not listed, the answer is unlisted.
func (p *prefetch) vm(ctx context.Context, name string) (vm vbox.VM, ok bool, err error) {
	select {
	case <-ctx.Done():
		return vbox.VM{}, true, context.Cause(ctx)
	case <-p.listed:
	}
	if uuid := p.uuids[name]; uuid != "" {
		name = uuid
	}
	a := p.vms[name]
	switch {
	case a == nil && p.ok:
		return vbox.VM{}, true, unlisted(name)
	case a == nil:
		return vbox.VM{}, false, nil
	}
	select {
	case <-ctx.Done():
		return vbox.VM{}, true, context.Cause(ctx)
	case <-a.ready:
		return a.vm, true, a.err
	}
}

// slot waits until another VBoxManage may run. The questions about running VMs go first, because
// the probes of their machines wait for them.
func (p *prefetch) slot(ctx context.Context) (release func(), err error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.running:
	}
	if err := p.unresponsive(); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	}
}

// unlisted returns VBoxManage's error for a VM that it does not know.
func unlisted(name string) *vbox.Error {
	return &vbox.Error{Kind: vbox.NotFound, Text: "Could not find a registered machine named '" + name + "'"}
}
