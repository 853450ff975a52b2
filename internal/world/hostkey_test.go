package world

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
)

// docker-machine makes an SSH key with every machine: a host key that was pinned for
// another one is a machine's that is gone.
func TestHostKeyOfAMachineThatWasMadeAnew(t *testing.T) {
	now := time.Now()
	w := farAway(t, t.TempDir(), &now)
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
	known := func(w *World, key []byte) string {
		t.Helper()
		got, err := w.knownHostKey(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	if got := known(w, keys[0]); got != "" {
		t.Errorf("known before the first login: %q", got)
	}
	if err := w.pinHostKey(t.Context(), []byte(line+"\n"), keys[0]); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(w.hostKeyFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	pinned := known(w, keys[0])
	if len(pinned) < len(line) || pinned[:len(line)] != line {
		t.Errorf("pinned %q", pinned)
	}
	unwritable := farAway(t, "/proc/nowhere", &now)
	if err := unwritable.pinHostKey(t.Context(), []byte(line), keys[0]); err != nil {
		t.Errorf("a diagnosis ends with %v", err)
	}
	unwritable.Patience = time.Second
	if err := unwritable.pinHostKey(t.Context(), []byte(line), keys[0]); err == nil {
		t.Error("a repair goes on without knowing whom it talks to the next time")
	}
	accepting := farAway(t, w.StateDir, &now)
	accepting.AcceptHostKey = true
	old := line + "\n" // as earlier versions wrote it: for whatever key
	got := []string{known(w, keys[1]), known(accepting, keys[0]), known(w, []byte("no key"))}
	if diff := cmp.Diff([]string{"", "", pinned}, got); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(w.hostKeyFile(), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(old, known(w, keys[1])); diff != "" {
		t.Error(diff)
	}
}
