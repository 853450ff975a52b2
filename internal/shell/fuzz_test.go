package shell

import (
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// FuzzRender checks, without running a shell, what makes a block safe, and
// reads the value back where a few lines of Go can.
func FuzzRender(f *testing.F) {
	for _, v := range hostile() {
		f.Add(v, "docker-vpn-helper")
		f.Add("x", v)
	}
	f.Fuzz(func(t *testing.T, value, word string) {
		for _, d := range All() {
			text, err := Render(d, []Var{{Name: "V_PATH", Value: value}}, Usage{word, "env"})
			if err != nil {
				var refused *UnrepresentableError
				if !errors.As(err, &refused) || text != "" {
					t.Fatalf("%s: %q, %v", d, text, err)
				}
				continue
			}
			if !strings.HasSuffix(text, "\n") {
				t.Fatalf("%s: the last line does not end: %q", d, text)
			}
			switch d {
			case Bash, Zsh, Sh, Dash, Ksh, Tcsh, Csh:
				// Splitting at blanks and joining with single ones changes nothing,
				// and no word is a file name pattern.
				if strings.Join(strings.Fields(text), " ") != strings.TrimSpace(strings.ReplaceAll(text, "\n", " ")) || strings.ContainsAny(text, "*?[]~!") {
					t.Fatalf("%s: not safe in an unquoted eval: %q", d, text)
				}
				first, _, _ := strings.Cut(text, "\n")
				if got := readPrintf(t, first); got != value {
					t.Fatalf("%s: reads as %q, want %q", d, got, value)
				}
			case PowerShell:
				if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && (r < ' ' || r >= 0x7f) }); i >= 0 {
					t.Fatalf("%s: byte beyond printable ASCII: %q", d, text)
				}
			case JSON:
				var got map[string]string
				if err := json.Unmarshal([]byte(text), &got); err != nil || got["V_PATH"] != value {
					t.Fatalf("reads as %q, %v; want %q", got, err, value)
				}
			case Emacs:
				// Line 1, without its escapes, is a Go string.
				first, _, _ := strings.Cut(text, "\n")
				quoted := strings.TrimSuffix(strings.TrimPrefix(first, `(setenv "V_PATH" `), ")")
				if got, err := strconv.Unquote(quoted); err != nil || got != value {
					t.Fatalf("%s reads as %q, %v; want %q", quoted, got, err, value)
				}
			}
			if n := strings.Count(text, "\n"); d != JSON && n > 3 {
				t.Fatalf("%s: %d lines, so the value or the hint broke one: %q", d, n, text)
			}
		}
	})
}

// readPrintf reads the value of an assignment in the Bourne or C shell's form.
func readPrintf(t *testing.T, line string) string {
	t.Helper()
	if m := regexp.MustCompile(`^(?:export V_PATH=|setenv V_PATH )"([^"$\x60]*)";$`).FindStringSubmatch(line); m != nil {
		return m[1]
	}
	m := regexp.MustCompile(`printf '([^']*)'\)?\x60?"; ?(V_PATH="\$\{V_PATH%\.\}";)?$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("not a form that we write: %q", line)
	}
	got, err := strconv.Unquote(`"` + m[1] + `"`)
	if err != nil || strings.HasPrefix(m[1], "-") || strings.Contains(m[1], "%") {
		t.Fatalf("not a literal format: %q, %v", m[1], err)
	}
	if m[2] != "" {
		got = strings.TrimSuffix(got, ".")
	} else if strings.HasSuffix(got, "\n") && strings.Contains(line, "$(") {
		t.Fatalf("newline at the end is lost: %q", line)
	}
	return got
}

// FuzzDetect: never a panic, never a dialect for a name that does not hold its
// shell's, and a dialect's own name is always found.
func FuzzDetect(f *testing.F) {
	f.Add("-zsh", "/bin/bash")
	f.Add("(sh)", "")
	f.Add(`C:\x\pwsh.exe`, "bash-5.2")
	f.Fuzz(func(t *testing.T, parent, env string) {
		d, err := Detect([]string{parent}, env)
		var unknown *UnknownError
		if (err == nil) != slices.Contains(All(), d) || err != nil && !errors.As(err, &unknown) {
			t.Fatalf("%q, %v", d, err)
		}
		if d == Bash && !strings.Contains(strings.ToLower(parent+env), "bash") {
			t.Fatalf("guessed bash for %q, %q", parent, env)
		}
		if again, err := Parse(parent); err == nil && again != JSON && again != Emacs && again != d {
			t.Fatalf("parent %q is %q, detected %q", parent, again, d)
		}
	})
}

// FuzzCommand has a real shell read the words of a command line back.
func FuzzCommand(f *testing.F) {
	for _, s := range append(hostile(), "", "'", `'\''`, "\n", "\xff", "-", "=x") {
		f.Add(s, "second")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsRune(a+b, 0) {
			return
		}
		out, err := exec.Command("sh", "-c", Command("printf", `%s\0`, a, b)).Output()
		if want := a + "\x00" + b + "\x00"; err != nil || string(out) != want {
			t.Errorf("%q became %q: %v", want, out, err)
		}
	})
}
