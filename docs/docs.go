// Package docs holds the pages that the program itself can show.
package docs

import (
	_ "embed"
	"strings"
)

//go:embed troubleshooting.md
var troubleshooting string

// heading opens the page of a code.
const heading = "## "

// Page is what docs/troubleshooting.md says of a finding code, without its
// heading; ok is false for a code that it does not have.
func Page(code string) (text string, ok bool) {
	each(func(c, page string) bool {
		if c == code {
			text, ok = page, true
		}
		return !ok
	})
	return text, ok
}

// Codes are the codes that have a page, in the order of the layers.
func Codes() []string {
	var codes []string
	each(func(c, _ string) bool {
		codes = append(codes, c)
		return true
	})
	return codes
}

// each visits the pages in order, until visit says no.
func each(visit func(code, page string) bool) {
	rest := troubleshooting
	for {
		_, after, ok := strings.Cut(rest, "\n"+heading)
		if !ok {
			return
		}
		code, page, _ := strings.Cut(after, "\n")
		rest = "\n" + page
		page, _, _ = strings.Cut("\n"+page, "\n"+heading)
		if !visit(strings.TrimSpace(code), strings.TrimSpace(page)+"\n") {
			return
		}
	}
}
