//go:build e2e && linux

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes/hostchange"
	computer "github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/journal"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// soaking says that this is make soak: all runs. make e2e makes a tenth of them.
func soaking() bool { return os.Getenv("DVH_SOAK") == "all" }

func runs(n int) int {
	if soaking() {
		return n
	}
	return n / 10
}

// torture is a scene in which runs of the program are disturbed at random
// instants. DVH_SEED repeats the instants of an earlier test.
type torture struct {
	*scene
	rand *rand.Rand
	took time.Duration // by a run that nothing disturbs
	ends map[string]int
	// back says that it is not only the newest journal that can be undone.
	back bool
}

// seeded is a source of chance, whose seed is in the test's log.
func seeded(t *testing.T) *rand.Rand {
	seed, err := strconv.ParseUint(os.Getenv("DVH_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("DVH_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func tortured(t *testing.T, style nsguest.Style) *torture {
	s := on(t, style, fakestore.Options{Names: ipOnly()})
	instants := seeded(t)
	s.fix("default")
	begun := time.Now()
	s.fix("--reissue", "default")
	return &torture{scene: s, rand: instants, took: time.Since(begun), ends: map[string]int{}}
}

// disturbed makes n runs, disturbs each at a random instant, and wants the machine
// to be as before or as after each time, and healthy after one more fix. undisturb
// takes away what would keep that fix from working; it may be nil.
func (k *torture) disturbed(n int, args []string, disturb func(*exec.Cmd), undisturb func()) {
	k.Helper()
	for i := range n {
		at := time.Duration(k.rand.Int64N(int64(k.took)))
		about := fmt.Sprintf("run %d, disturbed after %v", i+1, at)
		k.disturbedOnce(about, at, args, disturb, undisturb)
		if k.Failed() {
			k.Fatalf("%s: the machine was not as before nor as after", about)
		}
	}
	k.Logf("%d runs of %v disturbed and healed; how they ended: %v", n, args, k.ends)
}

func (k *torture) disturbedOnce(about string, at time.Duration, args []string, disturb func(*exec.Cmd), undisturb func()) {
	k.Helper()
	k.forgetLogins()
	allowed := map[string]string{k.onDisk(): "the old one"}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	output := filepath.Join(k.T.TempDir(), "output")
	out, err := os.Create(output)
	k.must(err)
	defer out.Close()
	cmd := k.lab.Command(ctx, append([]string{"docker-vpn-helper"}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	k.must(cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	seen := k.watchServed()
	select {
	case <-time.After(at):
		disturb(cmd)
		<-ended
		if undisturb != nil {
			undisturb()
		}
	case <-ended: // it was quicker than those before
	}
	k.ends[cmd.ProcessState.String()]++
	for _, c := range k.journaled() {
		allowed[c] = "a new one"
	}
	defer func() {
		if text, _ := os.ReadFile(output); k.Failed() || cmd.ProcessState.ExitCode() > 0 {
			k.Logf("%s: %s\n%s", about, cmd.ProcessState, text)
		}
	}()
	k.settled(about, allowed)
	for c := range seen() {
		if allowed[c] == "" {
			k.Errorf("%s: dockerd showed a certificate that is neither the old nor the new one", about)
		}
	}
	k.wantKeysToMatch(about)
	k.forgetLogins()
	r := k.helper("--json", "fix", "--yes", "default")
	if r.Exit != 0 {
		k.Errorf("%s: the next fix ends with %d\n%s%s", about, r.Exit, r.Stdout, r.Stderr)
		return
	}
	served, store := k.served(), k.inStore()
	if disk := k.onDisk(); served != disk || store != disk {
		k.Errorf("%s: after the next fix: served is the disk's: %t; the store's is the disk's: %t", about, served == disk, store == disk)
	}
	if _, res := k.doctor("default"); res.Exit != 0 {
		k.Errorf("%s: after the next fix doctor ends with %d\n%s", about, res.Exit, res.Stdout)
	}
}

// forgetLogins makes it as if a minute had passed since the latest login: after a
// lost connection the program spaces its logins out.
func (s *scene) forgetLogins() {
	s.Helper()
	state := filepath.Join(s.lab.Home(), ".local/state/docker-vpn-helper")
	ledgers, err := filepath.Glob(filepath.Join(state, "stores/*/machines/*/logins.json"))
	s.must(err)
	for _, path := range append(ledgers, filepath.Join(state, "logins")) {
		s.must(os.RemoveAll(path))
	}
}

// onDisk is the server certificate on the docker host, DER; it may be off.
func (k *torture) onDisk() string {
	k.Helper()
	return k.der(k.hostFile("server.pem"))
}

// hostFile is a file beside the docker host's certificate as this machine has it: on
// what outlives the power, else as it was installed.
func (k *torture) hostFile(name string) string {
	if k.vm.Style == nsguest.Boot2docker {
		return filepath.Join(k.vm.Dir, "disk", "boot2docker", name)
	}
	written := filepath.Join(k.vm.Dir, "disk", "upper", k.vm.CertDir(), name)
	if _, err := os.Stat(written); err == nil {
		return written
	}
	return filepath.Join(k.vm.Dir, "image", k.vm.CertDir(), name)
}

func (k *torture) inStore() string { k.Helper(); return k.der(filepath.Join(k.m.Dir, "server.pem")) }

func (k *torture) der(path string) string {
	k.Helper()
	data, err := os.ReadFile(path)
	k.must(err)
	block, _ := pem.Decode(data)
	if block == nil {
		k.Fatalf("%s is no certificate: %q", path, data)
	}
	return string(block.Bytes)
}

// journaled are the certificates that a run may have put in place, DER.
func (k *torture) journaled() []string {
	k.Helper()
	dirs, err := filepath.Glob(filepath.Join(k.lab.Home(), ".local/state/docker-vpn-helper/stores/*/machines/default/journal"))
	k.must(err)
	var found []string
	for _, dir := range dirs {
		all, err := journal.Read(k.Context(), computer.NewLocal(computer.Sudo{}), dir, changes.Decode)
		k.must(err)
		if len(all) == 0 {
			continue
		}
		entries := all[len(all)-1].Entries
		for _, j := range all[:len(all)-1] {
			if k.back {
				entries = append(entries, j.Entries...)
			}
		}
		for _, e := range entries {
			if c, ok := e.Change.(*hostchange.Reissue); ok {
				for _, text := range [][]byte{c.New, c.HostOld, c.StoreOld} {
					if block, _ := pem.Decode(text); block != nil {
						found = append(found, string(block.Bytes))
					}
				}
			}
		}
	}
	return found
}

// watchServed collects every certificate that dockerd shows, until seen is called.
func (k *torture) watchServed() (seen func() map[string]bool) {
	ctx, stop := context.WithCancel(context.Background())
	all := map[string]bool{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if c := k.shown(ctx); c != "" {
				all[c] = true
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return func() map[string]bool {
		stop()
		wg.Wait()
		return maps.Clone(all)
	}
}

// shown is the certificate that dockerd shows, "" while it does not answer.
func (k *torture) shown(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := k.vm.DialNAT(ctx, 2376)
	if err != nil {
		return ""
	}
	defer conn.Close()
	t := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	_ = t.HandshakeContext(ctx)
	if peers := t.ConnectionState().PeerCertificates; len(peers) > 0 {
		return string(peers[0].Raw)
	}
	return ""
}

// settled waits until dockerd serves what is on its disk, and wants that to be
// one of two.
func (k *torture) settled(about string, allowed map[string]string) {
	k.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if k.vm.PID() != 0 {
		err := await.Until(ctx, "dockerd to serve what is on its disk", func() (bool, error) {
			shown, disk := k.shown(ctx), k.onDisk()
			if shown == "" {
				return false, errors.New("it does not answer")
			}
			return shown == disk, errors.New("it serves another")
		})
		if err != nil {
			k.Errorf("%s: %v", about, err)
		}
	}
	if allowed[k.onDisk()] == "" {
		k.Errorf("%s: on the docker host is neither the old certificate nor the new one", about)
	}
	if allowed[k.inStore()] == "" {
		k.Errorf("%s: in the store is neither the old certificate nor the new one", about)
	}
}

func (k *torture) wantKeysToMatch(about string) {
	k.Helper()
	for _, pair := range [][2]string{
		{filepath.Join(k.m.Dir, "server.pem"), filepath.Join(k.m.Dir, "server-key.pem")},
		{k.hostFile("server.pem"), k.hostFile("server-key.pem")},
	} {
		certPEM, err := os.ReadFile(pair[0])
		k.must(err)
		keyPEM, err := os.ReadFile(pair[1])
		k.must(err)
		cert, err := certs.ParseCert(certPEM)
		k.must(err)
		key, err := certs.ParseKey(keyPEM)
		k.must(err)
		if !certs.SameKey(cert.PublicKey, key.Public()) {
			k.Errorf("%s: %s does not belong to %s", about, pair[0], pair[1])
		}
	}
}
