//go:build e2e && linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/nsguest"
)

// uncreated is a lab whose machine "default" is nowhere yet, and a docker-machine
// that creates it: the store's entry and the VM are put aside, and its "create"
// puts them in place, starts the VM and talks while it does.
func uncreated(t *testing.T) *scene {
	s := off(t, nsguest.Boot2docker, fakestore.Options{})
	aside, vbox := filepath.Join(s.lab.Dir(), "aside"), filepath.Join(s.lab.Dir(), "vbox", "virtualbox.json")
	with, err := os.ReadFile(vbox)
	s.must(err)
	s.must(os.MkdirAll(aside, 0o755))
	s.must(os.Rename(s.m.Dir, filepath.Join(aside, "default")))
	s.must(os.WriteFile(filepath.Join(aside, "virtualbox.json"), with, 0o600))
	s.vbox("unregistervm", "default")
	s.program("docker-machine", `echo "$*" >> $HOME/docker-machine.log
store=$MACHINE_STORAGE_PATH
case "$1" in
create)
	echo "Running pre-create checks..."
	mv `+aside+`/default $store/machines/
	cp `+aside+`/virtualbox.json `+vbox+`
	[ -z "$SLOW" ] || { echo "Waiting for an IP..."; sleep $SLOW & wait; }
	echo "Starting the VM..." >&2
	VBoxManage startvm default --type headless || exit 1
	until timeout 1 bash -c '</dev/tcp/192.168.99.100/2376' 2>/dev/null; do sleep 0.1; done
	[ -z "$FAILS" ] || { echo "Error checking TLS connection" >&2; exit 1; }
	echo "Docker is up and running!" ;;
rm)
	VBoxManage unregistervm default
	mv $store/machines/default `+aside+`/ ;;
*) exit 1 ;;
esac
`)
	return s
}

func (s *scene) dockerMachine() string {
	log, _ := os.ReadFile(filepath.Join(s.lab.Home(), "docker-machine.log"))
	return string(log)
}

// Issue 4, line 4.
func TestCreateWithTheVPNConnected(t *testing.T) {
	s := uncreated(t)
	s.must(s.lab.VPN().Connect(s.ctx(), false))
	r := s.helper("fix", "--create", "--yes", "default")
	s.same("exit", 3, r.Exit)
	s.same("stdout", "", r.Stdout)
	if !strings.Contains(r.Stderr, "disconnect from the VPN and run again: docker-vpn-helper fix --create --yes default") {
		t.Error(r.Stderr)
	}
	s.same("docker-machine", "", s.dockerMachine())
}

func TestCreate(t *testing.T) {
	s := uncreated(t)
	r := s.helper("fix", "--yes", "default")
	s.same("--yes alone creates nothing: exit", 2, r.Exit)
	s.same("docker-machine", "", s.dockerMachine())
	r = s.helper("fix", "--create", "default")
	if r.Exit != 0 || !strings.Contains(r.Stdout, "DOCKER_HOST") {
		t.Fatalf("exit %d\n%s%s", r.Exit, r.Stdout, r.Stderr)
	}
	if strings.Contains(r.Stdout, "pre-create") || !strings.Contains(r.Stderr, "Running pre-create checks...\n") || !strings.Contains(r.Stderr, "Docker is up and running!\n") {
		t.Errorf("docker-machine's own output belongs to stderr:\n%s\n%s", r.Stdout, r.Stderr)
	}
	s.same("docker-machine", "create -d virtualbox default\n", s.dockerMachine())
	s.shell(dockerAnswers)
}

const dockerAnswers = `eval "$(docker-vpn-helper env default)"; docker version`

// docker-machine's last check fails although the machine runs (docker/toolbox#744).
func TestCreateThatFailsAtItsLastCheck(t *testing.T) {
	s := uncreated(t)
	r, err := s.lab.Run(s.ctx(), []string{"FAILS=1"}, "docker-vpn-helper", "fix", "--create", "default")
	s.must(err)
	s.same("exit", 0, r.Exit)
	s.same("docker-machine", "create -d virtualbox default\n", s.dockerMachine())
	s.shell(dockerAnswers)
}

// Ctrl-C while docker-machine works: what it has made by then is removed.
func TestCreateInterrupted(t *testing.T) {
	s := uncreated(t)
	cmd := s.lab.Command(s.ctx(), "docker-vpn-helper", "fix", "--create", "default")
	cmd.Env = append(cmd.Env, "SLOW=60")
	s.must(cmd.Start())
	s.must(await.Until(s.ctx(), "docker-machine to work", func() (bool, error) {
		_, err := os.Stat(s.m.Dir)
		return err == nil, err
	}))
	time.Sleep(200 * time.Millisecond)
	s.must(cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	s.same("exit", 130, cmd.ProcessState.ExitCode())
	s.same("docker-machine", "create -d virtualbox default\nrm -f default\n", s.dockerMachine())
	if _, err := os.Stat(s.m.Dir); !os.IsNotExist(err) {
		t.Errorf("the machine is still in the store: %v", err)
	}
}
