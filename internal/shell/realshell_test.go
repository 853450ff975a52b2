package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// form is one way in which a real shell evaluates a block.
type form struct {
	name    string
	dialect Dialect
	argv    []string // the shell; the script's path follows, or its text comes on stdin
	stdin   bool
	prelude string
	eval    string // evaluates file %[1]s
	pkg     string // the Debian package that has the shell
	env     []string
}

// forms are the shells and their ways to evaluate, with options set that make
// them expand more than they do by default.
func forms() []form {
	const unquoted, quoted = `eval $(cat %[1]s)`, `eval "$(cat %[1]s)"`
	two := func(name string, d Dialect, pkg, prelude string, argv ...string) []form {
		return []form{
			{name: name + " unquoted", dialect: d, argv: argv, eval: unquoted, pkg: pkg, prelude: prelude},
			{name: name + " quoted", dialect: d, argv: argv, eval: quoted, pkg: pkg, prelude: prelude},
		}
	}
	var all []form
	all = append(all, two("bash", Bash, "bash", "set -Hue; shopt -s extglob nullglob; set -o history", "bash", "--norc")...)
	all = append(all, two("zsh", Zsh, "zsh", "setopt extendedglob banghist; set -ue", "zsh", "-f")...)
	all = append(all, two("dash", Dash, "dash", "set -ue", "dash")...)
	all = append(all, two("ksh93", Ksh, "ksh93u+m", "set -ue", "ksh93")...)
	all = append(all, two("mksh", Ksh, "mksh", "set -ue", "mksh")...)
	all = append(all, form{name: "bash failglob", dialect: Sh, argv: []string{"bash", "--norc"}, prelude: "shopt -s failglob", eval: unquoted, pkg: "bash"},
		form{name: "zsh emulating sh", dialect: Sh, argv: []string{"zsh", "-f"}, prelude: "emulate sh", eval: unquoted, pkg: "zsh"},
		form{name: "zsh interactive", dialect: Zsh, argv: []string{"zsh", "-f", "-i", "-s", "+Z", "-o", "no_prompt_sp", "-o", "no_prompt_cr"}, stdin: true, eval: unquoted, pkg: "zsh"},
		form{name: "fish eval", dialect: Fish, argv: []string{"fish", "-N"}, eval: `eval (cat %[1]s)`, pkg: "fish"},
		form{name: "fish source", dialect: Fish, argv: []string{"fish", "-N"}, eval: `cat %[1]s | source`, pkg: "fish"},
		form{name: "tcsh unquoted", dialect: Tcsh, argv: []string{"tcsh", "-f"}, eval: "eval `cat %[1]s`", pkg: "tcsh"},
		form{name: "tcsh quoted", dialect: Csh, argv: []string{"tcsh", "-f"}, eval: "eval \"`cat %[1]s`\"", pkg: "tcsh"},
		form{name: "elvish", dialect: Elvish, argv: []string{"elvish", "-norc"}, eval: `eval (cat %[1]s | slurp)`, pkg: "elvish"},
		form{name: "emacs", dialect: Emacs, argv: []string{"emacs", "-Q", "--batch", "-l"},
			eval: `(with-temp-buffer (shell-command "cat %[1]s" (current-buffer)) (eval-buffer))`, pkg: "emacs-nox"},
	)
	return all
}

// wanted reports whether this computer is to test a shell: all of them, unless
// DVH_SHELLS lists those that it has.
func wanted(f form) bool {
	list, ok := os.LookupEnv("DVH_SHELLS")
	if !ok {
		return true
	}
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' }) {
		if name == f.argv[0] {
			return true
		}
	}
	return false
}

// run evaluates blocks, one after the other, in one process of the shell, and
// returns the environment that a child sees after each. It fails the test when
// the shell said anything, or when any file came or went.
func (f form) run(t *testing.T, locale string, blocks []string) []map[string]string {
	t.Helper()
	bin, err := exec.LookPath(f.argv[0])
	if err != nil {
		t.Fatalf("%s is not installed: apt-get install %s (or list the shells to test in DVH_SHELLS)", f.argv[0], f.pkg)
	}
	work := t.TempDir()
	cwd := filepath.Join(work, "cwd")
	mustWrite(t, filepath.Join(cwd, "bait"), "bait\n")
	for _, name := range []string{"a", "b", "x y", "export", "setenv", "set", "*", "ab", "K=V"} {
		mustWrite(t, filepath.Join(cwd, name), "")
	}
	before := listing(t, cwd)

	var script strings.Builder
	fmt.Fprintln(&script, f.prelude)
	for i, block := range blocks {
		in, out := filepath.Join(work, fmt.Sprintf("in%d", i)), filepath.Join(work, fmt.Sprintf("out%d", i))
		mustWrite(t, in, block)
		fmt.Fprintf(&script, f.eval+"\n", in)
		if f.dialect == Emacs {
			fmt.Fprintf(&script, "(call-process \"env\" nil '(:file \"%s\") nil \"-0\")\n", out)
		} else {
			fmt.Fprintf(&script, "env -0 > %s\n", out)
		}
	}
	mustWrite(t, filepath.Join(work, "script"), script.String())

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, f.argv[1:]...)
	if f.stdin {
		cmd.Stdin = strings.NewReader(script.String())
	} else {
		cmd.Args = append(cmd.Args, filepath.Join(work, "script"))
	}
	cmd.Dir = cwd
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + work, "LC_ALL=" + locale, "TERM=dumb", "PS1="}
	cmd.Env = append(cmd.Env, f.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if said := stdout.String() + stderr.String(); err != nil || said != "" {
		t.Fatalf("%s: %v\n%.2000q", f.name, err, said)
	}
	if diff := cmp.Diff(before, listing(t, cwd)); diff != "" {
		t.Fatalf("%s: files came or went (-before +after):\n%s", f.name, diff)
	}
	envs := make([]map[string]string, len(blocks))
	for i := range blocks {
		raw, err := os.ReadFile(filepath.Join(work, fmt.Sprintf("out%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		envs[i] = map[string]string{}
		for entry := range strings.SplitSeq(string(raw), "\x00") {
			name, value, _ := strings.Cut(entry, "=")
			envs[i][name] = value
		}
	}
	return envs
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func listing(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sizes[e.Name()] = info.Size()
	}
	return sizes
}

// perBlock is how many values share one block: starting processes is what takes the time.
const perBlock = 25

// TestEveryValueSurvivesTheRealShells evaluates the same values in every shell
// and form, and compares what a child process then finds in its environment.
// The seed is fixed, so that a failure repeats; FuzzRender tries others.
func TestEveryValueSurvivesTheRealShells(t *testing.T) {
	values := append(hostile(), generated(20, 2000)...)
	usage := Usage{"docker-vpn-helper", "-s", "/tmp/a  b*c'$(touch PWNED)`touch PWNED`!x\ntouch PWNED", "env", "default"}
	for _, f := range forms() {
		if !wanted(f) {
			continue
		}
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			for _, locale := range []string{"C.UTF-8", "C"} {
				some := values
				if locale == "C" {
					some = hostile()
				}
				blocks, want := blocksOf(t, f.dialect, some, usage)
				got := f.run(t, locale, blocks)
				for i := range want {
					for name, value := range want[i] {
						if seen, ok := got[i][name]; !ok || seen != value {
							t.Errorf("%s, %s: %s\n got %q, %t\nwant %q\nblock %s", f.name, locale, name, seen, ok, value, blocks[i])
							return
						}
					}
				}
			}
		})
	}
}

// blocksOf renders values, perBlock of them at a time, every second block with
// a plain hint and the others with a hostile one, and leaves out what the
// dialect refuses; TestWhatADialectRefuses says which values those may be.
func blocksOf(t *testing.T, d Dialect, values []string, usage Usage) (blocks []string, want []map[string]string) {
	t.Helper()
	for start := 0; start < len(values); start += perBlock {
		var vars []Var
		expect := map[string]string{}
		for i, v := range values[start:min(start+perBlock, len(values))] {
			one := Var{Name: nameOf(i), Value: v}
			if _, err := Render(d, []Var{one}, nil); err != nil {
				var refused *UnrepresentableError
				if !errors.As(err, &refused) {
					t.Fatal(err)
				}
				continue
			}
			vars = append(vars, one)
			expect[one.Name] = v
		}
		hint := Usage{"docker-vpn-helper", "env", "default"}
		if len(blocks)%2 == 1 {
			hint = usage
		}
		text, err := Render(d, vars, hint)
		if err != nil {
			t.Fatal(err)
		}
		blocks, want = append(blocks, text), append(want, expect)
	}
	return blocks, want
}
