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
		{empty, "cert show", "hint: docker-vpn-helper fix --create default"},
		{empty, "fix --create --dry-run", "Next: docker-vpn-helper fix --create default"},
		{machines, "ls", "Next: docker-vpn-helper doctor --all"},
		{boxed, "ls", "Next: docker-vpn-helper doctor default"},
		{boxed, "env default", "hint: docker-vpn-helper explain machine.virtualbox-missing"},
		{boxed, "fix --dry-run default", "hint: docker-vpn-helper explain machine.virtualbox-missing"},
		{boxed, "modules restart", "hint: docker-vpn-helper explain machine.virtualbox-missing"},
	} {
		_, _, stderr := run(t, c.home, c.line)
		if got := strings.TrimSpace(stderr); !strings.HasSuffix(got, c.last) {
			t.Errorf("%s ends with\n%s\nnot with %q", c.line, got, c.last)
		}
	}
}

// Why docker-machine is to be installed stands before the command that does it.
func TestNextStepWithoutDockerMachine(t *testing.T) {
	for _, line := range []string{"ls", "env", "fix"} {
		_, _, stderr := run(t, homeWith(t), line, onlyProgram, "")
		if !regexp.MustCompile(`(is empty|does not exist), and docker-machine is not installed`).MatchString(stderr) || !strings.Contains(stderr, "sudo curl -fLo /usr/local/bin/docker-machine ") {
			t.Errorf("%s: %s", line, stderr)
		}
	}
}

func TestLsPrintsWhatIsAskedFor(t *testing.T) {
	home := homeWith(t, "default", "two")
	for line, want := range map[string]string{"ls -q": "default\ntwo\n", "ls --format '{{.Name}}/{{.Driver}}'": "default/generic\ntwo/generic\n", "ls -q --json": `{"schema":1,"names":["default","two"]}` + "\n"} {
		if code, stdout, stderr := run(t, home, line); code != exitOK || stdout != want {
			t.Errorf("%s: exit %d\n%s%s", line, code, stdout, stderr)
		}
	}
}
