package shell

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheStartupLineSetsTheEnvironment evaluates the line in the real shells,
// with the guard's file there and not, and with a command that fails.
func TestTheStartupLineSetsTheEnvironment(t *testing.T) {
	bin := t.TempDir()
	stub := filepath.Join(bin, "docker-vpn-helper")
	mustWrite(t, stub, "#!/bin/sh\n[ \"$*\" = \"$DVH_ARGS\" ] || { echo \"wrong arguments: $*\" >&2; exit 1; }\ncat \"$DVH_BLOCK\"\n")
	if err := os.Chmod(stub, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range forms() {
		if !wanted(f) || strings.Contains(f.name, "quoted") && !strings.HasSuffix(f.name, "unquoted") {
			continue // the line brings its own eval: one form a shell
		}
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a  b'c$HOME*")
			usage := Usage{"docker-vpn-helper", "-s", "/a  b'c$HOME*", "env", "--no-verify", "default"}
			if f.dialect == Tcsh || f.dialect == Csh {
				dir, usage = t.TempDir(), Usage{"docker-vpn-helper", "env", "--no-verify", "default"}
			}
			guard, block := filepath.Join(dir, "record"), filepath.Join(dir, "block")
			text, err := Render(f.dialect, []Var{{Name: "DOCKER_CERT_PATH", Value: "/x  y"}}, usage)
			if err != nil {
				t.Fatal(err)
			}
			mustWrite(t, block, text)
			line, file, err := Startup(f.dialect, false, guard, usage)
			if err != nil || file == "" {
				t.Fatalf("Startup: %q, %v", file, err)
			}
			args := strings.Join(usage[1:], " ") + " --shell " + string(f.dialect)
			evaluate := func(args string) string {
				started := f
				started.prelude, started.eval = strings.ReplaceAll(f.prelude, "set -ue", ""), strings.ReplaceAll(line, "%", "%%")+"%.0[1]s"
				started.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "DVH_ARGS=" + args, "DVH_BLOCK=" + block}
				return started.run(t, "C.UTF-8", []string{"unused"})[0]["DOCKER_CERT_PATH"]
			}
			if got := evaluate("never called"); got != "" {
				t.Errorf("without the guard's file DOCKER_CERT_PATH is %q after\n%s", got, line)
			}
			mustWrite(t, guard, "")
			if got := evaluate(args); got != "/x  y" {
				t.Errorf("DOCKER_CERT_PATH is %q after\n%s", got, line)
			}
		})
	}
}

// TestTheStartupLineSaysNothing runs it as each shell's file is run, without the
// program and with one that fails: a terminal must open as ever.
func TestTheStartupLineSaysNothing(t *testing.T) {
	failing, without := t.TempDir(), t.TempDir()
	stub := filepath.Join(failing, "docker-vpn-helper")
	mustWrite(t, stub, "#!/bin/sh\necho the config is broken >&2\nexit 1\n")
	if err := os.Chmod(stub, 0o700); err != nil {
		t.Fatal(err)
	}
	for d, argv := range map[Dialect][]string{
		Bash: {"bash"}, Zsh: {"zsh", "-f"}, Dash: {"dash"}, Ksh: {"ksh"}, Fish: {"fish", "--no-config"}, Tcsh: {"tcsh", "-f"}, Elvish: {"elvish", "-norc"},
	} {
		if !wanted(form{name: string(d), dialect: d, argv: argv}) {
			continue
		}
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			guard := filepath.Join(t.TempDir(), "record")
			mustWrite(t, guard, "")
			line, _, err := Startup(d, false, guard, Usage{"docker-vpn-helper", "env", "--no-verify", "default"})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "startup")
			mustWrite(t, file, line)
			for _, bin := range []string{without, failing} {
				cmd := exec.Command(argv[0], append(argv[1:len(argv):len(argv)], file)...)
				cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + without, "TERM=dumb"}
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Errorf("%v, output %q after\n%s", err, out, line)
				}
			}
		})
	}
}

// TestStartupLines pins the forms, also of the shells that Debian does not have.
func TestStartupLines(t *testing.T) {
	type result struct{ Line, File string }
	got := map[Dialect]result{}
	for _, d := range All() {
		line, file, err := Startup(d, true, "/Users/me/m/default/docker-vpn-helper.json", Usage{"docker-vpn-helper", "env", "--no-verify", "default"})
		var refused *UnrepresentableError
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		got[d] = result{line, file}
	}
	posix := func(d, file string) result {
		return result{"if [ -r /Users/me/m/default/docker-vpn-helper.json ]; then eval \"$(docker-vpn-helper env --no-verify default --shell " + d + " 2>/dev/null)\"; fi\n", file}
	}
	csh := func(d, file string) result {
		return result{"if ( -r /Users/me/m/default/docker-vpn-helper.json ) then\n  eval \"`sh -c 'docker-vpn-helper env --no-verify default --shell " + d + " 2>/dev/null'`\"\nendif\n", file}
	}
	want := map[Dialect]result{
		Bash: posix("bash", "~/.bash_profile"), Zsh: posix("zsh", "~/.zshrc"), Ksh: posix("ksh", "~/.kshrc"), Sh: posix("sh", "~/.profile"), Dash: posix("dash", "~/.profile"),
		Tcsh: csh("tcsh", "~/.tcshrc"), Csh: csh("csh", "~/.cshrc"),
		Fish:       {"if test -r \"/Users/me/m/default/docker-vpn-helper.json\"; and type -q \"docker-vpn-helper\"; docker-vpn-helper env --no-verify default --shell fish 2>/dev/null | source; end\n", "~/.config/fish/config.fish"},
		Elvish:     {"use path; if (path:is-regular &follow-symlink=$true \"/Users/me/m/default/docker-vpn-helper.json\") { nop ?(eval (docker-vpn-helper env --no-verify default --shell elvish 2>/dev/null | slurp)) }\n", "~/.config/elvish/rc.elv"},
		PowerShell: {"if ((Test-Path -LiteralPath (\"/Users/me/m/default/docker-vpn-helper.json\")) -and (Get-Command docker-vpn-helper -ErrorAction SilentlyContinue)) { & docker-vpn-helper env --no-verify default --shell powershell 2>$null | Invoke-Expression }\n", "$PROFILE"},
		Nu:         {"if (\"/Users/me/m/default/docker-vpn-helper.json\" | path exists) and (which docker-vpn-helper | is-not-empty) { ^docker-vpn-helper env --no-verify default --shell json | from json | load-env }\n", "config.nu"},
		Emacs:      {"(when (file-readable-p \"/Users/me/m/default/docker-vpn-helper.json\") (with-temp-buffer (shell-command \"docker-vpn-helper env --no-verify default --shell emacs 2>/dev/null\" (current-buffer)) (eval-buffer)))\n", "~/.emacs.d/init.el"},
		Cmd:        {}, JSON: {},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
