package shell

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBlockOfEachDialect(t *testing.T) {
	vars := []Var{{Name: "DOCKER_HOST", Value: "tcp://localhost:2376"}, {Name: "DOCKER_CERT_PATH", Value: "/Users/J é's"}, {Name: "OLD", Unset: true}}
	usage := Usage{"docker-vpn-helper", "env", "default"}
	bourne := "export DOCKER_HOST=\"tcp://localhost:2376\";\nexport DOCKER_CERT_PATH=\"$(printf '/Users/J\\040\\303\\251\\047s')\";\nunset OLD;\n" +
		"# Run this command to configure your shell:\n# eval \"$(docker-vpn-helper env default)\"\n"
	csh := "setenv DOCKER_HOST \"tcp://localhost:2376\";\nsetenv DOCKER_CERT_PATH \"`printf '/Users/J\\040\\303\\251\\047s'`\";\nunsetenv OLD;\n" +
		": 'Run this command to configure your shell:';\n: 'eval `docker-vpn-helper env default`'\n"
	want := map[Dialect]string{
		Bash: bourne, Zsh: bourne, Sh: bourne, Dash: bourne, Ksh: bourne, Tcsh: csh, Csh: csh,
		Fish: "set -gx DOCKER_HOST \"tcp://localhost:2376\";\nset -gx DOCKER_CERT_PATH '/Users/J é\\'s';\nset -e OLD;\n" +
			"# Run this command to configure your shell:\n# docker-vpn-helper env default | source\n",
		Elvish: "set-env DOCKER_HOST \"tcp://localhost:2376\";\nset-env DOCKER_CERT_PATH \"/Users/J é's\";\nunset-env OLD;\n" +
			"# Run this command to configure your shell:\n# eval (docker-vpn-helper env default | slurp)\n",
		Emacs: "(setenv \"DOCKER_HOST\" \"tcp://localhost:2376\")\n(setenv \"DOCKER_CERT_PATH\" \"/Users/J \\303\\251's\")\n(setenv \"OLD\" nil)\n" +
			";; Run this command to configure your shell:\n;; (with-temp-buffer (shell-command \"docker-vpn-helper env default --shell emacs\" (current-buffer)) (eval-buffer))\n",
		PowerShell: "$Env:DOCKER_HOST = \"tcp://localhost:2376\";\n$Env:DOCKER_CERT_PATH = '/Users/J ' + [char]0x00E9 + '''s';\nRemove-Item Env:\\OLD -ErrorAction SilentlyContinue;\n" +
			"# Run this command to configure your shell:\n# & docker-vpn-helper env default | Invoke-Expression\n",
		Cmd: "SET DOCKER_HOST=tcp://localhost:2376\nSET \"DOCKER_CERT_PATH=/Users/J é's\"\nSET OLD=\n" +
			"REM Run this command to configure your shell:\nREM \t@FOR /f \"tokens=*\" %i IN ('docker-vpn-helper env default') DO @%i\n",
		Nu: "$env.DOCKER_HOST = \"tcp://localhost:2376\";\n$env.DOCKER_CERT_PATH = \"/Users/J é's\";\nhide-env --ignore-errors OLD;\n" +
			"# Run this command to configure your shell:\n# docker-vpn-helper env default --shell json | from json | load-env\n",
		JSON: "{\"DOCKER_HOST\":\"tcp://localhost:2376\",\"DOCKER_CERT_PATH\":\"/Users/J é's\",\"OLD\":null}\n",
	}
	got := map[Dialect]string{}
	for _, d := range All() {
		text, err := Render(d, vars, usage)
		if err != nil {
			t.Errorf("%s: %v", d, err)
		}
		got[d] = text
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}

// Not run in the real shells, for want of them: these follow the documented
// quoting rules (about_Quoting_Rules; SET /? and FOR /?; the Nushell book).
func TestDocumentedQuotingOfShellsThatAreNotHere(t *testing.T) {
	for _, c := range []struct {
		d           Dialect
		value, want string
	}{
		{PowerShell, `C:\Users\me`, `$Env:V = "C:\Users\me";`},
		{PowerShell, `$HOME $(id)`, `$Env:V = '$HOME $(id)';`},
		{PowerShell, "a`nb", "$Env:V = 'a`nb';"},
		{PowerShell, `it's "x"`, `$Env:V = 'it''s "x"';`},
		{PowerShell, "‘x’", `$Env:V = '' + [char]0x2018 + 'x' + [char]0x2019;`},
		{PowerShell, "a\nb", `$Env:V = 'a' + [char]0x000A + 'b';`},
		{PowerShell, "🐳", `$Env:V = '' + [char]0xD83D + [char]0xDC33;`},
		{Cmd, `C:\Users\me`, `SET V=C:\Users\me`},
		{Cmd, `C:\Program Files`, `SET "V=C:\Program Files"`},
		{Cmd, `a&b|c<d>e^f%PATH%!g!(h)`, `SET "V=a&b|c<d>e^f%PATH%!g!(h)"`},
		{Cmd, ` x `, `SET "V= x "`},
		{Nu, `a"b\c`, `$env.V = "a\"b\\c";`},
		{Nu, "a\nb\x1b", `$env.V = "a\u{a}b\u{1b}";`},
		{Nu, "$x (id) `y` 'z'", "$env.V = \"$x (id) `y` 'z'\";"},
		{Nu, "", `$env.V = "";`},
	} {
		got, err := Render(c.d, []Var{{Name: "V", Value: c.value}}, nil)
		if err != nil || got != c.want+"\n" {
			t.Errorf("%s %q: %v\n got %s\nwant %s", c.d, c.value, err, got, c.want)
		}
	}
}

func TestWhatADialectRefuses(t *testing.T) {
	values := map[string]string{
		"empty": "", "newline": "a\nb", "tab": "a\tb", "carriage return": "a\rb", "double quote": `a"b`, "not UTF-8": "a\xff", "NUL": "a\x00b",
		"bang": "a!b", "percent": "%PATH%", "backslash": `a\`, "quote": "'", "blanks": " a  b ", "glob": "*?[a]{b,c}~", "dash": "-rf",
	}
	got := map[Dialect][]string{}
	for _, d := range All() {
		for _, what := range []string{"NUL", "empty", "newline", "tab", "carriage return", "double quote", "not UTF-8", "bang", "percent", "backslash", "quote", "blanks", "glob", "dash"} {
			text, err := Render(d, []Var{{Name: "A", Value: "fine"}, {Name: "V", Value: values[what]}}, Usage{"x"})
			if err == nil {
				continue
			}
			var refused *UnrepresentableError
			if !errors.As(err, &refused) || refused.Name != "V" || refused.Dialect != d || refused.Reason == "" || text != "" {
				t.Errorf("%s, %s: %q, %#v", d, what, text, err)
			}
			got[d] = append(got[d], what)
		}
	}
	want := map[Dialect][]string{
		Bash: {"NUL"}, Zsh: {"NUL"}, Sh: {"NUL"}, Dash: {"NUL"}, Ksh: {"NUL"}, Fish: {"NUL"}, Elvish: {"NUL"}, Emacs: {"NUL"},
		Tcsh: {"NUL", "newline"}, Csh: {"NUL", "newline"},
		PowerShell: {"NUL", "empty", "not UTF-8"},
		Cmd:        {"NUL", "empty", "newline", "tab", "carriage return", "double quote", "not UTF-8"},
		Nu:         {"NUL", "not UTF-8"}, JSON: {"NUL", "not UTF-8"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestNamesThatAreNoVariables(t *testing.T) {
	for _, name := range []string{"", "1A", "A B", "A;id", "A=", "Ä", "A\n"} {
		if text, err := Render(Bash, []Var{{Name: name, Value: "x"}}, nil); err == nil || text != "" {
			t.Errorf("%q: %q, no error", name, text)
		}
	}
}

func TestShellIsTheCallingOne(t *testing.T) {
	for _, c := range []struct {
		situation string
		ancestors []string
		shell     string
		want      Dialect
		unknown   string // name in the error; "-" when there is no error
	}{
		{"login shell", []string{"-zsh", "login", "launchd"}, "/bin/bash", Zsh, "-"},
		{"fish inside of bash", []string{"fish", "bash", "sshd"}, "/bin/bash", Fish, "-"},
		{"bash script started from fish", []string{"/bin/bash", "fish"}, "/usr/bin/fish", Bash, "-"},
		{"through sudo and make", []string{"sudo", "make", "sh", "zsh"}, "/bin/zsh", Sh, "-"},
		{"windows", []string{`C:\Windows\System32\CMD.EXE`, "explorer.exe"}, "", Cmd, "-"},
		{"powershell core", []string{"pwsh"}, "/bin/zsh", PowerShell, "-"},
		{"mksh", []string{"mksh"}, "", Ksh, "-"},
		{"versioned", []string{"zsh-5.9"}, "", Zsh, "-"},
		{"macos ps without arguments", []string{"(tcsh)"}, "", Tcsh, "-"},
		{"no shell among the callers", []string{"gnome-terminal", "systemd"}, "/usr/bin/elvish", Elvish, "-"},
		{"a script between", []string{"python3", "bash"}, "/usr/bin/fish", Fish, "-"},
		{"a script between, and a login shell that is none", []string{"python3", "bash"}, "/usr/sbin/nologin", Bash, "-"},
		{"a script between, and no login shell", []string{"python3", "zsh", "login"}, "", Zsh, "-"},
		{"emacs runs commands through sh", []string{"emacs"}, "/bin/zsh", Zsh, "-"},
		{"xonsh inside of bash", []string{"xonsh", "bash"}, "/bin/bash", "", "xonsh"},
		{"unknown login shell", nil, "/opt/odd/wish", "", "/opt/odd/wish"},
		{"nothing known", nil, "", "", ""},
		{"bash-like name", nil, "/bin/bashful", "", "/bin/bashful"},
	} {
		d, err := Detect(c.ancestors, c.shell)
		got := "-"
		var unknown *UnknownError
		if errors.As(err, &unknown) {
			got = unknown.Name
		}
		if d != c.want || got != c.unknown {
			t.Errorf("%s: %q, unknown %q; want %q, %q", c.situation, d, got, c.want, c.unknown)
		}
	}
}

func TestShellByName(t *testing.T) {
	for _, d := range All() {
		if got, err := Parse(string(d)); got != d || err != nil {
			t.Errorf("%s: %s, %v", d, got, err)
		}
	}
	if d, err := Parse("/usr/bin/zsh"); d != Zsh || err != nil {
		t.Errorf("a path: %s, %v", d, err)
	}
	for _, name := range []string{"", "bsh", "bash ish", "none", "bash-"} {
		_, err := Parse(name)
		var unknown *UnknownError
		if !errors.As(err, &unknown) {
			t.Errorf("%q: %v", name, err)
		}
	}
	_, err := Parse("xonsh")
	want := `unsupported shell "xonsh"; supported: bash zsh sh dash ksh fish powershell cmd tcsh csh emacs nu elvish json`
	if fmt.Sprint(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestCommandsToPaste(t *testing.T) {
	got := Command("docker-vpn-helper", "fix", "a b", "it's", "", "~", "=ls", "a\tb", "x\n\n", "é")
	want := `docker-vpn-helper fix 'a b' 'it'\''s' '' '~' '=ls' "$(printf 'a\011b')" x'` + "\n\n" + `' 'é'`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if strings.Contains(Quote("\n"), "printf") {
		t.Errorf("a lone newline: %s", Quote("\n"))
	}
}

// The command that a person is shown is the one in the block's hint.
func TestEval(t *testing.T) {
	usage := Usage{"docker-vpn-helper", "fix", "default"}
	for d, want := range map[Dialect]string{
		Bash:       `eval "$(docker-vpn-helper fix default)"`,
		Tcsh:       "eval `docker-vpn-helper fix default`",
		Fish:       "docker-vpn-helper fix default | source",
		PowerShell: "& docker-vpn-helper fix default | Invoke-Expression",
		Nu:         "docker-vpn-helper fix default --shell json | from json | load-env",
		Elvish:     "eval (docker-vpn-helper fix default | slurp)",
		Cmd:        `@FOR /f "tokens=*" %i IN ('docker-vpn-helper fix default') DO @%i`,
	} {
		if got, ok := Eval(d, usage); got != want || !ok {
			t.Errorf("%s: %q, %v; want %q", d, got, ok, want)
		}
	}
	if line, ok := Eval(JSON, usage); ok {
		t.Errorf("json evaluates nothing, not %q", line)
	}
	if line, ok := Eval(Tcsh, Usage{"docker-vpn-helper", "-s", "/a b"}); ok {
		t.Errorf("backquotes do not nest, yet %q", line)
	}
}
