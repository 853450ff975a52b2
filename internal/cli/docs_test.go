package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// foreign are flags of other programs that the documentation names on their own.
var foreign = map[string]string{
	"--rm":              "docker run",
	"--natpf1":          "VBoxManage modifyvm",
	"--machinereadable": "VBoxManage showvminfo",
	"--tlsverify":       "dockerd",
	"--tls":             "dockerd",
	"--client-certs":    "docker-machine regenerate-certs",
}

// program is the command tree, against which the documentation is checked.
type program struct {
	root  *cobra.Command
	codes []string
}

func newProgram() program {
	var none bytes.Buffer
	a := &app{IO: IO{Stdin: &none, Stdout: &none, Stderr: &none, Getenv: func(string) string { return "" }}}
	a.ui = ui.New(&none, &none, &none, a.Getenv)
	codes := docs.Codes()
	for _, e := range explain.All() {
		codes = append(codes, e.ID)
	}
	return program{root: a.root(), codes: codes}
}

// TestDocsNameWhatIsThere checks that commands, flags and finding codes in the documentation exist
// in the program.
func TestDocsNameWhatIsThere(t *testing.T) {
	p := newProgram()
	var found int
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range codeOf(string(text)) {
				n, wrong := p.check(line)
				found += n
				for _, w := range wrong {
					t.Errorf("%s: %s, in: %s", filepath.Base(file), w, line)
				}
			}
		}
	}
	if found < 200 {
		t.Errorf("only %d commands, flags and codes were found", found)
	}
}

// The check itself finds names that do not exist.
func TestDocsThatAreWrong(t *testing.T) {
	p := newProgram()
	for line, want := range map[string]string{
		"docker-vpn-helper fixx default":                         "no command fixx",
		"    docker-vpn-helper doctor --al # all":                "doctor has no --al",
		`eval "$(docker-vpn-helper env --shel sh default)"`:      "env has no --shel",
		"sudo docker-vpn-helper ports addd 80":                   "", // addd may be a HOST
		"cert shows default":                                     "no command cert shows",
		"ports follow --remaps":                                  "ports follow has no --remaps",
		"--dry-runs":                                             "no command has --dry-runs",
		"docker ps 2>&1 | docker-vpn-helper explain -":           "",
		"docker-vpn-helper -s ~/.minikube ls -q | sort --unique": "",
		"route.hijackedd":                                        "no code route.hijackedd",
		"docker-vpn-helper explain route.hijack":                 "no code route.hijack",
	} {
		_, wrong := p.check(line)
		if got := strings.Join(wrong, "; "); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// codeOf returns the lines of code blocks and the code spans of a Markdown text.
func codeOf(text string) (code []string) {
	inBlock := false
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inBlock = !inBlock
		case inBlock || strings.HasPrefix(line, "    "):
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "--") { // a line that goes on
				code = append(code, line)
			}
		default:
			for i, span := range strings.Split(line, "`") {
				if i%2 == 1 {
					code = append(code, span)
				}
			}
		}
	}
	return code
}

var (
	called   = regexp.MustCompile(`(?:^|[\s("'/])docker-vpn-helper((?: [^\s|;&#)]+)+)`)
	codeForm = regexp.MustCompile(`(?:^|[\s"'])([a-z]+)\.([a-z]+(?:-[a-z0-9]+)*)\b`)
	loneFlag = regexp.MustCompile(`^--[a-z][a-z0-9-]+`)
)

// notCodes are the ends of names that look like codes but are not.
var notCodes = []string{"pem", "json", "sock", "service", "md", "go", "txt", "sh", "com", "io", "exe", "local", "org", "net", "ok"}

// check returns how many names a line of code has, and those that do not exist.
func (p program) check(line string) (found int, wrong []string) {
	if words := strings.Fields(line); len(words) > 0 && !strings.Contains(line, "docker-vpn-helper") {
		if cmd, _, err := p.root.Find(words[:1]); err == nil && cmd != p.root && len(words) > 1 && words[0] != "ls" {
			line = "docker-vpn-helper " + line // the program's name is often left out
		}
	}
	for _, m := range called.FindAllStringSubmatch(line, -1) {
		found++
		wrong = append(wrong, p.commandLine(strings.Fields(m[1]))...)
	}
	if flag := loneFlag.FindString(line); flag != "" {
		found++
		if foreign[flag] == "" && !anyHas(p.root, flag[2:]) {
			wrong = append(wrong, "no command has "+flag)
		}
	}
	for _, m := range codeForm.FindAllStringSubmatch(line, -1) {
		prefix := m[1] + "."
		if !slices.ContainsFunc(p.codes, func(c string) bool { return strings.HasPrefix(c, prefix) }) || slices.Contains(notCodes, m[2]) {
			continue
		}
		found++
		if !slices.Contains(p.codes, prefix+m[2]) {
			wrong = append(wrong, "no code "+prefix+m[2])
		}
	}
	return found, wrong
}

// commandLine checks the words after the program's name.
func (p program) commandLine(words []string) (wrong []string) {
	cmd, path, plain := p.root, "", true
	for i, word := range words {
		word = strings.Trim(word, `"',.:…`)
		switch {
		case word == "--":
			return wrong
		case strings.HasPrefix(word, "-") && len(word) > 1 && word != "-":
			name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
			if !anyHas(cmd, name) {
				wrong = append(wrong, strings.TrimSpace(path)+" has no "+word)
			}
		case plain && cmd.HasSubCommands() && (i == 0 || !isValue(cmd, words[i-1])):
			next := sub(cmd, word)
			if next == nil {
				plain = false
				if !cmd.Runnable() || cmd == p.root || cmd.Use == cmd.Name() {
					if cmd == p.root && !regexp.MustCompile(`^[a-z][a-z-]+$`).MatchString(word) {
						return wrong // COMMAND, or prose
					}
					return append(wrong, "no command "+strings.TrimSpace(path+" "+word))
				}
				continue
			}
			cmd, path = next, path+" "+next.Name()
		default:
			plain = plain && cmd.HasSubCommands()
		}
	}
	return wrong
}

// isValue reports whether the argument after a word is the value of a flag.
func isValue(cmd *cobra.Command, word string) bool {
	if !strings.HasPrefix(word, "-") || strings.Contains(word, "=") {
		return false
	}
	_, takesValue := hasFlag(cmd, strings.TrimLeft(word, "-"))
	return takesValue
}

func sub(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// hasFlag reports whether a command has a flag, by its name or its letter, and whether it takes a
// value.
func hasFlag(cmd *cobra.Command, name string) (ok, takesValue bool) {
	f := cmd.Flag(name) // of the command and of those above it
	if f == nil && len(name) == 1 {
		f = cmd.Flags().ShorthandLookup(name)
	}
	if f == nil && len(name) == 1 {
		f = cmd.InheritedFlags().ShorthandLookup(name)
	}
	return f != nil, f != nil && f.NoOptDefVal == ""
}

// anyHas reports whether a command or one of its subcommands has a flag.
func anyHas(cmd *cobra.Command, name string) bool {
	if ok, _ := hasFlag(cmd, name); ok || name == "help" || name == "h" {
		return true
	}
	return slices.ContainsFunc(cmd.Commands(), func(c *cobra.Command) bool { return anyHas(c, name) })
}

// TestDocsLinkToWhatIsThere checks that the targets of relative links, pictures and headings exist.
func TestDocsLinkToWhatIsThere(t *testing.T) {
	link := regexp.MustCompile(`(?:\]\(|src="|srcset=")([^)"#]*)(?:#([^)"]*))?[)"]`)
	var found int
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				found++
				to := file
				if m[1] != "" {
					to = filepath.Join(filepath.Dir(file), m[1])
				}
				content, err := os.ReadFile(to)
				if info, dirErr := os.Stat(to); err != nil && (dirErr != nil || !info.IsDir()) {
					t.Errorf("%s: link to %s: %v", file, m[1], err)
				}
				if m[2] != "" && !strings.Contains(anchors(string(content)), "\n"+m[2]+"\n") {
					t.Errorf("%s: %s has no heading #%s", file, to, m[2])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d links were found", found)
	}
}

// anchors returns the headings of a Markdown text as links name them, each on a line.
func anchors(text string) string {
	var b strings.Builder
	b.WriteString("\n")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		b.WriteString(strings.ReplaceAll(name, " ", "-") + "\n")
	}
	return b.String()
}
