package shell

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnsetTakesVariablesBack sets variables, then evaluates the block that
// takes them back, in every shell.
func TestUnsetTakesVariablesBack(t *testing.T) {
	set := []Var{{Name: "DOCKER_HOST", Value: "tcp://localhost:2376"}, {Name: "DOCKER_CERT_PATH", Value: "/a  b"}, {Name: "NO_PROXY", Value: "x"}}
	back := []Var{{Name: "DOCKER_HOST", Unset: true}, {Name: "DOCKER_CERT_PATH", Unset: true}, {Name: "NO_PROXY", Value: "*.local, 10.0.0.0/8"}, {Name: "NEVER_SET", Unset: true}}
	usage := Usage{"docker-vpn-helper", "env", "--unset"}
	for _, f := range forms() {
		if !wanted(f) {
			continue
		}
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			one, err := Render(f.dialect, set, usage)
			if err != nil {
				t.Fatal(err)
			}
			two, err := RenderUnset(f.dialect, back, usage)
			if err != nil {
				t.Fatal(err)
			}
			type seen struct{ Host, Cert, NoProxy, Never string }
			var got []seen
			for _, env := range f.run(t, "C.UTF-8", []string{one, two}) {
				show := func(name string) string {
					if v, ok := env[name]; ok {
						return v
					}
					return "(unset)"
				}
				got = append(got, seen{show("DOCKER_HOST"), show("DOCKER_CERT_PATH"), show("NO_PROXY"), show("NEVER_SET")})
			}
			want := []seen{{"tcp://localhost:2376", "/a  b", "x", "(unset)"}, {"(unset)", "(unset)", "*.local, 10.0.0.0/8", "(unset)"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheHintWorksWhenPasted runs the command that each block's hint names,
// against a program that answers with a block only if its arguments are right.
func TestTheHintWorksWhenPasted(t *testing.T) {
	bin := t.TempDir()
	stub := filepath.Join(bin, "docker-vpn-helper")
	script := "#!/bin/sh\n[ \"$*\" = \"$DVH_ARGS\" ] || { echo \"wrong arguments: $*\" >&2; exit 1; }\ncat \"$DVH_BLOCK\"\n"
	mustWrite(t, stub, script)
	if err := os.Chmod(stub, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range forms() {
		if !wanted(f) {
			continue
		}
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			usage := Usage{"docker-vpn-helper", "-s", "/a  b'c$HOME*", "env", "default"}
			mark, args := "# ", strings.Join(usage[1:], " ")
			switch f.dialect {
			case Tcsh, Csh: // cannot show such an argument
				usage = Usage{"docker-vpn-helper", "env", "default"}
				mark, args = ": ", "env default"
			case Emacs:
				mark, args = ";; ", args+" --shell emacs"
			}
			block, err := Render(f.dialect, []Var{{Name: "DOCKER_CERT_PATH", Value: "/x  y"}}, usage)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(block), "\n")
			hint := strings.TrimPrefix(lines[len(lines)-1], mark)
			if mark == ": " {
				hint = strings.Trim(hint, "'")
			}
			pasted := f
			pasted.eval = strings.ReplaceAll(hint, "%", "%%") + " " + strings.TrimSpace(strings.Replace(mark, ":", "#", 1)) + " %[1]s"
			if f.stdin {
				pasted.eval = strings.ReplaceAll(hint, "%", "%%") + "; : %[1]s" // no comments at an interactive zsh's prompt
			}
			file := filepath.Join(t.TempDir(), "block")
			mustWrite(t, file, block)
			pasted.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "DVH_ARGS=" + args, "DVH_BLOCK=" + file}
			got := pasted.run(t, "C.UTF-8", []string{"unused"})[0]["DOCKER_CERT_PATH"]
			if got != "/x  y" {
				t.Errorf("after %s\nDOCKER_CERT_PATH is %q", hint, got)
			}
		})
	}
}
