package access

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/mode"
)

// docker-machine makes an SSH key with every machine: a host key that was pinned with
// another one belongs to a machine that is gone.
func TestHostKeyOfAMachineThatWasMadeAnew(t *testing.T) {
	now := time.Now()
	a := dockerHost(t, "generic", t.TempDir(), &now, mode.Mode{})
	const line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKJ4aN6W0xqsSdzcDHbWqnPYM0bHzxOSVPGKTcKL8nZx"
	keys := make([][]byte, 2)
	for i, name := range []string{"ssh", "client"} {
		key, err := fakestore.Key(fakestore.RSA, name)
		if err != nil {
			t.Fatal(err)
		}
		if keys[i], err = fakestore.KeyPEM(key); err != nil {
			t.Fatal(err)
		}
	}
	known := func(a *Access, key []byte) string {
		t.Helper()
		got, err := a.knownHostKey(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	if got := known(a, keys[0]); got != "" {
		t.Errorf("known before the first login: %q", got)
	}
	if err := a.pinHostKey(t.Context(), []byte(line+"\n"), keys[0]); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(a.hostKeyFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	pinned := known(a, keys[0])
	if len(pinned) < len(line) || pinned[:len(line)] != line {
		t.Errorf("pinned %q", pinned)
	}
	if err := dockerHost(t, "generic", "/proc/nowhere", &now, mode.Mode{}).pinHostKey(t.Context(), []byte(line), keys[0]); err != nil {
		t.Errorf("a diagnosis ends with %v", err)
	}
	if err := dockerHost(t, "generic", "/proc/nowhere", &now, mode.Repair()).pinHostKey(t.Context(), []byte(line), keys[0]); err == nil {
		t.Error("a repair goes on without a pin, so that the next run cannot verify the docker host")
	}
	accepting := dockerHost(t, "generic", a.StateDir, &now, mode.Mode{})
	accepting.AcceptHostKey = func() bool { return true }
	old := line + "\n" // as earlier versions wrote it: for any key
	got := []string{known(a, keys[1]), known(accepting, keys[0]), known(a, []byte("no key"))}
	if diff := cmp.Diff([]string{"", "", pinned}, got); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(a.hostKeyFile(), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(old, known(a, keys[1])); diff != "" {
		t.Error(diff)
	}
}
