package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every page of help says which docker host is the default, and except for command lines fits a
// narrow terminal.
func TestHelpSaysWhichDockerHostIsMeant(t *testing.T) {
	a := testApp(t)
	n := 0
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if takesHost(c) {
			n++
			if !strings.Contains(c.Long, "DOCKER_MACHINE_NAME") {
				t.Errorf("%s: %q", c.CommandPath(), c.Long)
			}
		}
		for _, line := range strings.Split(flagUsages(c.LocalFlags(), 40), "\n") {
			if len(line) > 40 && strings.HasPrefix(line, "          ") && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%s: wider than 40 columns: %q", c.CommandPath(), line)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(a.root())
	if n < 25 {
		t.Errorf("only %d commands take a docker host", n)
	}
}

func TestHelpGroupsTheCommands(t *testing.T) {
	_, stdout, _ := run(t, homeWith(t), "--help")
	for _, text := range []string{"\nRepair the connection to dockerd:\n  doctor ", "\nPublished ports on the laptop:\n  ports ", "\nPacket filters of the docker host:\n  reach ", "  docker-vpn-helper COMMAND [flags]\n", "explain -\n"} {
		if !strings.Contains(stdout, text) {
			t.Errorf("%q is missing:\n%s", text, stdout)
		}
	}
	if strings.Contains(stdout, "docker-vpn-helper [flags]") {
		t.Errorf("the program does nothing without a command:\n%s", stdout)
	}
}

// Help with a docker host as argument prints help. With a word that is neither that nor a
// subcommand, the error names the word.
func TestHelpWithAnotherWord(t *testing.T) {
	home := homeWith(t, "default")
	for line, want := range map[string]string{"ports default --help": "", "ports local -h": "", "fix nosuch --help": "",
		"ports bogus --help": `ports has no subcommand "bogus", and no docker host has that name`, "bogus --help": `unknown command "bogus"`,
		"modules bogus --help": `modules takes restart, not "bogus"`, "ports bogus --help --json": ""} {
		code, stdout, stderr := run(t, home, line)
		if wrong := strings.Contains(line, "bogus"); !strings.Contains(stderr, want) || wrong != (code == exitUsage) || !wrong && !strings.Contains(stdout, "Usage:") {
			t.Errorf("%s: exit status %d\n%s%s", line, code, stdout, stderr)
		}
	}
}

func TestCompletionOfDockerHosts(t *testing.T) {
	home := homeWith(t, "default", "two")
	for line, want := range map[string]string{
		"__complete reach web -H ''":      "default\ntwo\nlocal\n:4\n",
		"__complete doctor --host t":      "two\n:4\n",
		"__complete reach web --from ''":  "public\nlan\nlocal\n:4\n",
		"__complete allow web --from ''":  ":4\n",
		"__complete explain route.not-":   "route.not-in-table\nroute.not-permitted\n:4\n",
		"__completeNoDesc ports follow l": ":4\n",
	} {
		if _, stdout, _ := run(t, home, line); stdout != want {
			t.Errorf("%s: %q, want %q", line, stdout, want)
		}
	}
	if _, stdout, _ := run(t, home, "__complete fix --"); strings.Contains(stdout, "`") || !strings.Contains(stdout, "--port") {
		t.Error(stdout)
	}
}
