// Package docs holds the pages that the program itself can show.
package docs

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed troubleshooting.md
var troubleshooting string

// heading opens the page of a code.
const heading = "## "

// Page is what docs/troubleshooting.md says of a finding code, without its
// heading; ok is false for a code that it does not have.
func Page(code string) (text string, ok bool) {
	i := slices.IndexFunc(pages(), func(p page) bool { return p.code == code })
	if i < 0 {
		return "", false
	}
	return pages()[i].text, true
}

// Title is the beginning of a code's page, up to the end of its first statement, without
// backticks; empty for a code that it does not have.
func Title(code string) string {
	page, _ := Page(code)
	paragraph, _, _ := strings.Cut(page, "\n\n")
	return FirstStatement(strings.ReplaceAll(paragraph, "`", ""))
}

// FirstStatement is a text up to the end of its first statement: a full stop or a colon.
func FirstStatement(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for i := range text {
		if end := text[i:]; strings.HasPrefix(end, ". ") || strings.HasPrefix(end, ": ") || end == "." || end == ":" {
			return text[:i]
		}
	}
	return text
}

// Codes are the codes that have a page, in the order of the layers.
func Codes() []string {
	var codes []string
	for _, p := range pages() {
		codes = append(codes, p.code)
	}
	return codes
}

// page is what the file has below one heading.
type page struct{ code, text string }

// pages are those of troubleshooting.md, in their order.
var pages = sync.OnceValue(func() []page {
	var all []page
	for _, part := range strings.Split(troubleshooting, "\n"+heading)[1:] {
		code, text, _ := strings.Cut(part, "\n")
		all = append(all, page{strings.TrimSpace(code), strings.TrimSpace(text) + "\n"})
	}
	return all
})
