package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

var update = flag.Bool("update", false, "write docs/man instead of comparing with it")

// manDir is where the man pages are.
const manDir = "../../docs/man"

// TestManPagesAreFresh compares docs/man with the commands; `make man` writes it. Only tests import
// cobra/doc.
func TestManPagesAreFresh(t *testing.T) {
	root := testApp(t).root()
	fix, _, err := root.Find([]string{"fix"})
	if err != nil {
		t.Fatal(err)
	}
	fix.Flags().Lookup("port").DefValue = "" // cobra/doc would print 0, which is not a port
	root.DisableAutoGenTag = true            // a date would make every page stale tomorrow
	fresh := t.TempDir()
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "docker-vpn-helper", Manual: "docker-vpn-helper", Date: &time.Time{}}, fresh); err != nil {
		t.Fatal(err)
	}
	want := pages(t, fresh)
	ordered := testApp(t).root() // cobra/doc has sorted those of root
	ordered.InitDefaultHelpCmd()
	for name, text := range want {
		words := strings.Split(strings.TrimSuffix(name, ".1"), "-")
		cmd, _, err := ordered.Find(strings.Split(strings.ReplaceAll(strings.Join(words[3:], " "), "shell init", "shell-init"), " "))
		if len(words) == 3 {
			cmd, err = ordered, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		want[name] = string(finished(t, name, []byte(withCommands(text, cmd))))
	}
	if *update {
		for name := range pages(t, manDir) {
			if err := os.Remove(filepath.Join(manDir, name)); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(manDir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(want, pages(t, manDir)); diff != "" {
		t.Errorf("docs/man is stale (-commands +pages), run make man:\n%s", diff)
	}
}

// Each name in the table is a command, and each command without subcommands has exit statuses.
func TestExitStatusesAreOfCommands(t *testing.T) {
	root := testApp(t).root()
	root.InitDefaultHelpCmd()
	for name := range exitStatuses {
		if cmd, rest, err := root.Find(strings.Fields(name)); err != nil || len(rest) > 0 || (len(exits(name)) == 0) == cmd.Runnable() && !cmd.HasSubCommands() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for line, want := range map[string]string{"reach --help": "  1    blocked\n", "fix --help": "  5    the rollback is incomplete; undo resumes it\n", "proxy --help": "  0    ended by a signal"} {
		if _, stdout, _ := run(t, homeWith(t), line); !strings.Contains(stdout, want) || strings.Contains(stdout, "Exit status: ") {
			t.Errorf("%s: no %q in\n%s", line, want, stdout)
		}
	}
}

// testApp returns an app with all commands, and streams that are ignored.
func testApp(t *testing.T) *app {
	t.Helper()
	var none bytes.Buffer
	a := &app{IO: IO{Stdin: &none, Stdout: &none, Stderr: &none, Getenv: func(string) string { return "" }}}
	a.ui = ui.New(&none, &none, &none, a.Getenv)
	return a
}

// pages returns the man pages in a directory, without dates.
func pages(t *testing.T, dir string) map[string]string {
	t.Helper()
	date := regexp.MustCompile(`(?m)^(\.TH \S+ \S+ )"Jan 0001"`)
	names, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = date.ReplaceAllString(string(text), `$1""`)
	}
	return all
}

// withCommands adds to a page the command's subcommands, in the groups of help, and completes its
// synopsis.
func withCommands(page string, cmd *cobra.Command) string {
	var b strings.Builder
	for _, group := range append(cmd.Groups(), &cobra.Group{}) {
		for i, sub := range slices.DeleteFunc(slices.Clone(cmd.Commands()), func(c *cobra.Command) bool { return c.GroupID != group.ID || c.Hidden }) {
			if i == 0 && group.Title != "" {
				fmt.Fprintf(&b, ".SS %s\n", group.Title)
			}
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", strings.ReplaceAll(sub.Name(), "-", `\-`), sub.Short)
		}
	}
	if b.Len() == 0 {
		return page
	}
	cmd.InitDefaultHelpFlag() // UseLine has [flags] only if there is a flag
	line := "\\fB" + cmd.CommandPath() + " COMMAND [flags]\\fP\n"
	if own := "\\fB" + cmd.UseLine() + "\\fP\n"; strings.Contains(cmd.Use, "[") {
		line = own + ".br\n" + line
	}
	page = regexp.MustCompile(`(?m)^(\.SH SYNOPSIS\n)\\fB.*\n`).ReplaceAllString(page, "${1}"+strings.ReplaceAll(line, "$", "$$"))
	return strings.Replace(page, ".SH OPTIONS\n", ".SH COMMANDS\n"+b.String()+"\n\n.SH OPTIONS\n", 1)
}

// finished brings a generated page into the form of other programs' pages: EXAMPLES, the sections
// that all pages share, and global options only on the overview.
func finished(t *testing.T, name string, page []byte) []byte {
	t.Helper()
	shared, err := os.ReadFile(filepath.Join(manDir, "sections.roff"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)(\\fP)(\[=false\]|=""|=0s|=)$`).ReplaceAllString(string(page), "$1")
	value := regexp.MustCompile(`(?m)^((?:\\fB-\w\\fP, )?\\fB--[\w-]+\\fP)(?:=\S*)?\n(\t.*\\fB([A-Z][A-Z:]*)\\fR)`)
	text = value.ReplaceAllString(text, "$1 \\fI$3\\fP\n$2")
	text = regexp.MustCompile(`(?m)^(?:\.PP\n)?(\\fB-.*)\n\t`).ReplaceAllString(text, ".TP\n$1\n")
	text = strings.Replace(text, ".SH EXAMPLE\n", ".SH EXAMPLES\n", 1)
	text = regexp.MustCompile(`(?s)\.SH OPTIONS INHERITED FROM PARENT COMMANDS\n.*?\n\n\n`).
		ReplaceAllLiteralString(text, ".SH GLOBAL OPTIONS\n\\fB-s\\fP, \\fB--json\\fP, \\fB-v\\fP, \\fB-y\\fP, \\fB--timeout\\fP and \\fB--color\\fP: see \\fBdocker-vpn-helper(1)\\fP\n\n\n")
	before, after, found := strings.Cut(text, ".SH SEE ALSO")
	if !found {
		t.Fatalf("%s has no SEE ALSO", name)
	}
	after = strings.ReplaceAll(after, "-", `\-`) // at which no name is broken
	status := ""
	command := strings.ReplaceAll(strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(name, "docker-vpn-helper"), ".1"), "-"), "-", " ")
	for _, line := range exits(strings.Replace(command, "shell init", "shell-init", 1)) {
		code, means, _ := strings.Cut(line, " ")
		status += fmt.Sprintf(".TP\n\\fB%s\\fP\n%s\n", code, strings.ReplaceAll(means, "--", `\-\-`))
	}
	if status != "" {
		status = ".SH EXIT STATUS\n" + status + "\n"
	}
	return []byte(before + status + string(shared) + "\n.SH SEE ALSO" + after)
}
