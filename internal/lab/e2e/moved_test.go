//go:build e2e && linux

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// Issue 3, line 9: undo after the world has moved on.

func repairedUnderVPN(t *testing.T) *scene {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	s.vpn(true)
	s.fix("default")
	return s
}

// undone runs undo, and wants its exit status and these words in what it says.
func (s *scene) undone(exit int, words ...string) lab.Result {
	s.Helper()
	r := s.helper("undo", "default", "--yes")
	s.same("exit of undo", exit, r.Exit)
	for _, w := range words {
		if !strings.Contains(r.Stderr, w) {
			s.Errorf("%q is not in:\n%s", w, r.Stderr)
		}
	}
	return r
}

// rewrite does to config.json what docker-machine does: all of it is written anew.
func (s *scene) rewrite(change func(map[string]any)) {
	s.Helper()
	path := filepath.Join(s.m.Dir, "config.json")
	data, err := os.ReadFile(path)
	s.must(err)
	var c map[string]any
	s.must(json.Unmarshal(data, &c))
	change(c)
	data, err = json.MarshalIndent(c, "", "    ")
	s.must(err)
	s.must(os.WriteFile(path, data, 0o600))
}

// As docker-machine regenerate-certs does: a new certificate on both sides, and
// config.json written anew.
func TestUndoAfterDockerMachineRegeneratedCertificates(t *testing.T) {
	s := repairedUnderVPN(t)
	newer, err := s.store.CA.Server(s.m.Server.Key, fakestore.ServerOptions{Names: []string{s.m.IP, "localhost", "127.0.0.1"}})
	s.must(err)
	s.must(s.vm.WriteFile("/var/lib/boot2docker/server.pem", newer.CertPEM, 0o644))
	s.must(s.vm.Service(s.ctx(), "restart"))
	s.must(s.vm.AwaitDockerd(s.ctx()))
	s.must(os.WriteFile(filepath.Join(s.m.Dir, "server.pem"), newer.CertPEM, 0o644))
	s.rewrite(func(c map[string]any) { c["Driver"].(map[string]any)["Memory"] = 4096 })
	pid := s.vm.DockerdPID()

	s.undone(0, "machines/default/server.pem was changed by another program since, and stays", "/var/lib/boot2docker/server.pem on default was changed by another program since, and stays")
	s.same("dockerd's PID", pid, s.vm.DockerdPID())
	disk, err := s.vm.ReadFile("/var/lib/boot2docker/server.pem")
	s.must(err)
	store, err := os.ReadFile(filepath.Join(s.m.Dir, "server.pem"))
	s.must(err)
	if !bytes.Equal(disk, newer.CertPEM) || !bytes.Equal(store, newer.CertPEM) {
		t.Error("a newer certificate was overwritten")
	}
	var c struct {
		Driver      struct{ Memory int }
		HostOptions struct {
			AuthOptions struct{ ServerCertSANs []string }
		}
	}
	config, err := os.ReadFile(filepath.Join(s.m.Dir, "config.json"))
	s.must(err)
	s.must(json.Unmarshal(config, &c))
	s.same("what docker-machine has written", 4096, c.Driver.Memory)
	s.same("our names", 0, len(c.HostOptions.AuthOptions.ServerCertSANs))
	s.same("NAT rules", []string(nil), s.rules("default"))
	s.same("nothing is left to undo", 0, s.helper("undo", "default").Exit)
}

func TestUndoAfterTheRuleWasEditedByHand(t *testing.T) {
	s := repairedUnderVPN(t)
	s.vbox("controlvm", "default", "natpf1", "delete", "docker-vpn-helper")
	s.vbox("controlvm", "default", "natpf1", "docker-vpn-helper,tcp,127.0.0.1,4711,,2376")
	s.undone(0, "NAT rule docker-vpn-helper of default was edited since and stays", "4711")
	s.same("NAT rules", []string{"docker-vpn-helper,tcp,127.0.0.1,4711,,2376"}, s.rules("default"))
}

func TestUndoOfAStoppedMachine(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	files, start := s.hostFiles(), s.tree(s.lab.StoreDir())
	s.fix("default")
	s.vbox("controlvm", "default", "poweroff")
	store, rules := s.tree(s.lab.StoreDir()), s.rules("default")
	s.undone(3, "docker-machine start default")
	s.same("store", store, s.tree(s.lab.StoreDir()))
	s.same("NAT rules", rules, s.rules("default"))
	s.start(s.host)
	s.undone(0)
	s.same("files on the docker host", files, s.hostFiles())
	s.same("store", start, s.tree(s.lab.StoreDir()))
}

// As after docker-machine rm: no VM, nothing in the store.
func TestUndoOfARemovedMachine(t *testing.T) {
	s := repairedUnderVPN(t)
	s.vbox("controlvm", "default", "poweroff")
	s.vbox("unregistervm", "default", "--delete")
	s.must(os.RemoveAll(s.m.Dir))
	s.undone(0, "machine default is not in the store any more, its certificate stays")
	if _, err := os.Stat(s.m.Dir); err == nil {
		t.Error("undo has made the removed machine's directory again")
	}
	s.same("exit of undo --all", 0, s.helper("undo", "--all").Exit)
}

// Only the store forgot the machine; its VM runs on, with our rule.
func TestUndoOfAMachineThatOnlyTheStoreForgot(t *testing.T) {
	s := repairedUnderVPN(t)
	served := s.served()
	s.must(os.RemoveAll(s.m.Dir))
	s.undone(0, "machine default is not in the store any more, its certificate stays")
	s.same("NAT rules", []string(nil), s.rules("default"))
	s.same("the certificate is left", served, s.served())
}

// Two repairs, undone one after the other.
func TestUndoAll(t *testing.T) {
	s := on(t, nsguest.Boot2docker, fakestore.Options{Names: ipOnly()})
	files, store, served := s.hostFiles(), s.tree(s.lab.StoreDir()), s.served()
	s.fix("default")
	s.fix("--reissue", "default")
	s.same("exit", 0, s.helper("undo", "--all").Exit)
	s.same("files on the docker host", files, s.hostFiles())
	s.same("store", store, s.tree(s.lab.StoreDir()))
	s.same("served", served, s.served())
	s.same("NAT rules", []string(nil), s.rules("default"))
}
