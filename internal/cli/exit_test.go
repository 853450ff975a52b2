package cli

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/hosttest"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// The hint is in the words of the VirtualBox that complained.
func TestHintForAMissingAdapter(t *testing.T) {
	const network = "VBoxManage hostonlynet add --name docker-machine --netmask 255.255.255.0 --lower-ip 192.168.99.1 --upper-ip 192.168.99.254 --enable"
	for _, c := range []struct{ os, version, want string }{
		{"darwin", "6.1.50r161033", "VBoxManage hostonlyif create"},
		{"darwin", "7.0.20r163906", network},
		{"darwin", "7.2.4r170995", network},
		{"linux", "7.2.4_Debianr170995", "VBoxManage hostonlyif create"},
	} {
		laptop := hosttest.New(t, []byte("-- computer --\nos "+c.os+"\n-- $ VBoxManage --version --\n"+c.version+"\n"))
		a := &app{ctx: t.Context(), IO: IO{Laptop: func(host.Sudo) host.Laptop { return laptop }}}
		if got := a.classify(fmt.Errorf("starting the VM: %w", &vbox.Error{Kind: vbox.HostOnlyMissing})).hint.String(); got != c.want {
			t.Errorf("%s, VirtualBox %s: %q", c.os, c.version, got)
		}
	}
}

// A no to a question is "nothing was changed" only where that is true.
func TestCancelledTellsWhetherSomethingWasChanged(t *testing.T) {
	a := &app{ui: ui.New(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" })}
	refused := fmt.Errorf("reissue: %w", ui.ErrRefused)
	if got := a.classify(refused).message; got != "Cancelled; nothing was changed" {
		t.Errorf("before any change: %q", got)
	}
	ui.Sink{UI: a.ui}.Event(engine.Event{Kind: engine.Reverting, Change: &changes.AddRule{}})
	if got := a.classify(refused).message; got != "Cancelled" {
		t.Errorf("after a change was reverted: %q", got)
	}
}
