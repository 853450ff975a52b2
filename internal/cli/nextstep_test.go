package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whatever is missing on a laptop, the last line is what to run next.
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
		{empty, "shell-init", `the store has no machine "default" yet: until fix has verified one, the line does nothing`},
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

// Where the store has no machine and none can be created, there may be another store, or
// another docker host. How to install docker-machine is for those who want a machine created.
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

// A store that -s names and that is not there is named, and not called empty.
func TestAStoreThatDoesNotExist(t *testing.T) {
	home := homeWith(t)
	for _, line := range []string{"doctor", "ls", "ports", "fix --all", "doctor --all", "env"} {
		_, _, stderr := run(t, home, "-s "+home+"/nosuch/store "+line)
		if !regexp.MustCompile(`store \S+/nosuch/store (\(-s\) )?does not exist( \(named by -s\)|: this is what)`).MatchString(stderr) {
			t.Errorf("%s:\n%s", line, stderr)
		}
	}
}

// Without docker-machine its commands lead to those of ours that come nearest.
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

// Certificates of proxy init in ./certs are what a client's certificate is for where the store
// has no machine.
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
