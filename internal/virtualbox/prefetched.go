package virtualbox

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// maxAtOnce bounds how many VBoxManage run side by side: they all wait for one
// VBoxSVC, and each is a process.
const maxAtOnce = 8

// prefetch is what VirtualBox answers about all VMs.
type prefetch struct {
	direct *Manager // asks without waiting for a slot
	limit  time.Duration

	listed  chan struct{} // closed when the four below are there
	ok      bool          // VirtualBox has listed its VMs: what is not among them does not exist
	inOrder []vbox.VMRef
	uuids   map[string]string // by name
	vms     map[string]*answer

	running chan struct{} // closed when all VMs that run have been asked for
	all     chan struct{} // closed when all others have been, too

	slots    chan struct{} // full while maxAtOnce VBoxManage run
	timeouts atomic.Int32  // questions in a row that timed out
}

// answer is there when ready is closed.
type answer struct {
	ready chan struct{}
	vm    vbox.VM
	err   error
}

var errUnresponsive = errors.New("VBoxManage is hanging: VirtualBox's service does not answer")

// unresponsive is the error once VirtualBox is given up: the list of VMs has timed
// out, or as many questions in a row as run side by side. One VM that hangs is no sign
// that the others do.
func (p *prefetch) unresponsive() error {
	if p.timeouts.Load() >= maxAtOnce {
		return errUnresponsive
	}
	return nil
}

// refs waits for the list of VMs; ok is false if VirtualBox did not give one.
func (p *prefetch) refs(ctx context.Context) (refs []vbox.VMRef, ok bool, err error) {
	select {
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	case <-p.listed:
		return p.inOrder, p.ok, nil
	}
}

// vm waits for the answer about a VM, by name or UUID; ok is false if it has to be
// asked for. A VM that VirtualBox has not listed does not.
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

// slot waits until one more VBoxManage may run. Other questions come after those about
// all VMs that run: until their answers are there, no probe of their machines can begin.
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

// unlisted is what VBoxManage answers about a VM that is not in its list.
func unlisted(name string) *vbox.Error {
	return &vbox.Error{Kind: vbox.NotFound, Text: "Could not find a registered machine named '" + name + "'"}
}
