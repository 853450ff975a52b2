package main

import (
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// Ports and dates that another run gives. The page has those of one.
var (
	sshPort    = regexp.MustCompile(`127\.0\.0\.1:[0-9]{5}\b`)
	until      = regexp.MustCompile(`until \d{4}-\d\d-\d\d`)
	dockerPort = regexp.MustCompile(`(localhost|127\.0\.0\.1):2[34]\d\d\b`)
)

// documented is "documented FILE": docs/repair.md has the text of the file, as it is.
func documented(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: documented FILE")
	}
	page, err := os.ReadFile("../../docs/repair.md")
	ts.Check(err)
	text := sshPort.ReplaceAllString(ts.ReadFile(args[0]), "127.0.0.1:54321")
	text = dockerPort.ReplaceAllString(text, "${1}:2376")
	text = until.ReplaceAllString(text, "until 2028-05-14")
	if text == "" || !strings.Contains(string(page), text) {
		ts.Fatalf("docs/repair.md does not have this, which the program prints:\n%s", text)
	}
}
