package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// Whatever is missing on a laptop, the last line is the command to run next.
func TestNextStepWhereSomethingIsMissing(t *testing.T) {
	empty, machines := homeWith(t), homeWith(t, "default", "two")
	boxed := homeWith(t, "default")
	config := filepath.Join(boxed, ".docker", "machine", "machines", "default", "config.json")
	if err := os.WriteFile(config, []byte(`{"ConfigVersion":3,"DriverName":"virtualbox","Driver":{"IPAddress":"127.0.0.1","SSHPort":1},"Name":"default"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ home, line, last string }{
		{empty, "doctor --all", "Next: docker-vpn-helper fix --create default"},
		{empty, "ls", "Next: docker-vpn-helper fix --create default"},
		{empty, "env", "hint: docker-vpn-helper fix --create default"},
		{empty, "shell-init", ": the store " + empty + "/.docker/machine does not exist: until fix has verified one, the line does nothing"},
		{empty, "cert show", "hint: docker-vpn-helper fix --create default"},
		{empty, "fix --create --dry-run", "Next: docker-vpn-helper fix --create default"},
		{machines, "ls", "Next: docker-vpn-helper doctor --all"},
		{boxed, "ls", "Next: docker-vpn-helper doctor default"},
		{boxed, "env default", "hint: docker-vpn-helper explain machine.virtualbox-missing"},
		{boxed, "fix --dry-run default", "hint: docker-vpn-helper explain machine.virtualbox-missing"},
		{boxed, "cert renew default", "hint: docker-vpn-helper explain machine.virtualbox-missing"},
		{boxed, "modules restart", "hint: docker-vpn-helper explain machine.virtualbox-missing"},
	} {
		_, _, stderr := run(t, c.home, c.line)
		if got := strings.TrimSpace(stderr); !strings.HasSuffix(got, c.last) {
			t.Errorf("%s ends with\n%s\nnot with %q", c.line, got, c.last)
		}
	}
}

// If the store has no machine and none can be created, the hint is another store or another docker
// host. How to install docker-machine matters only to those who want to create a machine.
func TestNextStepWithoutDockerMachine(t *testing.T) {
	for _, line := range []string{"ls", "env", "fix", "cert show", "context", "cert client ci", "doctor --all"} {
		_, _, stderr := run(t, homeWith(t), line, onlyProgram, "")
		if !regexp.MustCompile(`store \S+ does not exist; -s DIR names another store`).MatchString(stderr) || !strings.HasSuffix(stderr, ": docker-vpn-helper doctor local\n") {
			t.Errorf("%s: %s", line, stderr)
		}
	}
	if _, _, stderr := run(t, homeWith(t), "fix --create dev", onlyProgram, ""); !strings.Contains(stderr, "hint: sudo curl -fLo /usr/local/bin/docker-machine ") {
		t.Error(stderr)
	}
}

// A store that -s names and that does not exist is named, not called empty.
func TestAStoreThatDoesNotExist(t *testing.T) {
	home := homeWith(t)
	for _, line := range []string{"doctor", "ls", "ports", "fix --all", "doctor --all", "env", "shell-init"} {
		_, _, stderr := run(t, home, "-s "+home+"/nosuch/store "+line)
		if !regexp.MustCompile(`store \S+/nosuch/store (\(-s\) )?does not exist( \(named by -s\)|: this is what|: until fix)`).MatchString(stderr) {
			t.Errorf("%s:\n%s", line, stderr)
		}
	}
}

// If docker-machine is not installed, the hint for its commands is our nearest command.
func TestDockerMachinesCommandsWithoutIt(t *testing.T) {
	home := homeWith(t, "default")
	for line, want := range map[string]string{
		"start default":  `eval "$(docker-vpn-helper fix default)"`,
		"ip default":     "docker-vpn-helper env default",
		"url":            "docker-vpn-helper env",
		"active":         "docker-vpn-helper ls",
		"status default": "docker-vpn-helper doctor default",
		"ssh default":    "docker-vpn-helper explain docker.command-missing",
	} {
		code, _, stderr := run(t, home, line, onlyProgram, "")
		if code != exitUsage || !strings.HasSuffix(stderr, "hint: "+want+"\n") {
			t.Errorf("%s: exit %d, want the hint %s\n%s", line, code, want, stderr)
		}
	}
}

// With --all each error names its machine.
func TestErrorsOfAllMachinesNameThem(t *testing.T) {
	_, _, stderr := run(t, homeWith(t, "default", "two"), "fix --all")
	for _, name := range []string{"default", "two"} {
		if !strings.Contains(stderr, "error: ["+name+"] ") {
			t.Errorf("%s is missing:\n%s", name, stderr)
		}
	}
}

// If the store has no machine and ./certs has certificates of proxy init, a client's certificate is
// meant for those.
func TestClientCertificateBesideCerts(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("certs", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("certs/ca-key.pem", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, homeWith(t), "cert client ci", onlyProgram, "")
	if code != exitUsage || !strings.HasSuffix(stderr, "hint: docker-vpn-helper cert client ci --certs ./certs\n") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestLsPrintsWhatIsAskedFor(t *testing.T) {
	home := homeWith(t, "default", "two")
	if _, stdout, _ := run(t, home, "ls --format table"); !strings.HasPrefix(stdout, "NAME ") {
		t.Error(stdout)
	}
	for line, want := range map[string]string{"ls -q": "default\ntwo\n", "ls --format '{{.Name}}/{{.Driver}}'": "default/generic\ntwo/generic\n", "ls -q --json": `{"schema":1,"names":["default","two"]}` + "\n"} {
		if code, stdout, stderr := run(t, home, line); code != exitOK || stdout != want {
			t.Errorf("%s: exit %d\n%s%s", line, code, stdout, stderr)
		}
	}
}

// No hint is a command of a program that this laptop does not have.
func TestHintsWhereAProgramIsMissing(t *testing.T) {
	home := homeWith(t)
	minikube := "-s " + home + "/.minikube "
	for _, c := range []struct {
		line, program, host string
		code                int
		last                string
	}{
		{"doctor context:nix", "docker-machine", "", exitUsage, "hint: docker-vpn-helper explain env.client-missing"},
		{"doctor context:nix", "docker", "", exitUsage, "hint: docker context ls"},
		{"doctor", "docker", "npipe:////./pipe/docker", exitUsage, "hint: unset DOCKER_HOST"},
		{"doctor", "docker", "127.0.0.1:1", exitProblems, "tcp://127.0.0.1:1 (DOCKER_HOST)"}, // as docker reads it
		{"reach web -H local", "docker", "unix:///nosuch.sock", exitUnknown, "hint: docker-vpn-helper doctor local"},
		{"allow web -H local", "docker", "unix:///nosuch.sock", exitUnknown, "hint: docker-vpn-helper doctor local"},
		{minikube + "doctor minikube", "minikube", "", exitUsage, "hint: minikube start --driver virtualbox"},
		{minikube + "doctor two", "minikube", "", exitUsage, "hint: minikube start -p two --driver virtualbox"},
		{minikube + "doctor minikube", "docker-machine", "", exitUsage, "hint: docker-vpn-helper -s " + home + "/.minikube doctor local"},
	} {
		code, _, stderr := run(t, home, c.line, onlyProgram, c.program, "DOCKER_HOST", c.host)
		if got := strings.TrimSpace(stderr); code != c.code || !strings.HasSuffix(got, c.last) {
			t.Errorf("%s, with %s: exit %d, %s\nwant %d, %q", c.line, c.program, code, got, c.code, c.last)
		}
	}
}

// If neither dockerd nor docker is installed, nothing can be started.
func TestNextStepWithoutDocker(t *testing.T) {
	finding := func(code string) []engine.Finding {
		return []engine.Finding{{Code: code, Status: engine.Fail, Hint: hint.Explain(code)}}
	}
	r := engine.Report{Status: engine.Fail, Cause: "socket.missing", Layers: []engine.LayerReport{{Layer: "socket", Status: engine.Fail, Findings: finding("socket.missing")}}}
	a := testApp(t)
	a.Laptop = func(host.Sudo) host.Laptop { return bareLaptop{} }
	next := func() string { return a.nextStep(&target.Target{}, r).Command }
	if got := next(); got != "docker-vpn-helper explain socket.missing" {
		t.Error(got)
	}
	r.Layers = append(r.Layers, engine.LayerReport{Layer: "env", Findings: finding("env.client-missing")})
	if got := next(); got != "docker-vpn-helper explain env.client-missing" {
		t.Error(got)
	}
}

func TestRootWithoutSudo(t *testing.T) {
	a := testApp(t)
	a.Laptop, a.args = func(host.Sudo) host.Laptop { return bareLaptop{} }, []string{"reach", "web", "-H", "local"}
	local := &target.Target{Kind: target.Local, Ref: target.Ref{Kind: target.Local}, Laptop: bareLaptop{}}
	err := a.needsRoot(local, "reading packet filters needs", &host.SudoError{Argv: []string{"sudo", "sh"}, Missing: true})
	var stderr bytes.Buffer
	a.ui = ui.New(strings.NewReader(""), io.Discard, &stderr, a.Getenv)
	a.report(err)
	if want := "there is no sudo: run it as root\ndocker-vpn-helper: hint: su -c 'docker-vpn-helper reach web -H local'\n"; !strings.HasSuffix(stderr.String(), want) {
		t.Error(stderr.String())
	}
}

// homeLaptop is a laptop that has this program in a home directory.
type homeLaptop struct{ host.Laptop }

func (homeLaptop) LookPath(name string, _ ...string) (string, error) {
	return "/home/me/bin/" + name, nil
}

func TestServiceOfAProgramInAHomeDirectory(t *testing.T) {
	certs := filepath.Join(t.TempDir(), "certs")
	if code, _, stderr := run(t, homeWith(t), "proxy init "+certs); code != exitOK {
		t.Fatal(stderr)
	}
	a := testApp(t)
	laptop := homeLaptop{host.NewLocal(host.Sudo{})}
	a.ctx, a.Laptop, a.Now = t.Context(), func(host.Sudo) host.Laptop { return laptop }, time.Now
	f := &proxyFlags{certs: certs, cert: filepath.Join(certs, "server.pem"), key: filepath.Join(certs, "server-key.pem"), ca: filepath.Join(certs, "ca.pem")}
	_, err := a.proxyUnit(f, &target.Target{Laptop: laptop})
	var e *exitError
	if want := "sudo install -m 755 /home/me/bin/docker-vpn-helper /usr/local/bin/"; !errors.As(err, &e) || e.hint.String() != want {
		t.Errorf("%v, want the hint %s", err, want)
	}
}
