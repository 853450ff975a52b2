package cli

import (
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/explain"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ui"
)

// explained is one line of explain's list.
type explained struct {
	Code  string `json:"code"`
	Title string `json:"title"`
}

// explainedCodes returns the codes of all findings, then the names of all known error messages,
// with titles.
func explainedCodes() []explained {
	var all []explained
	for _, code := range docs.Codes() {
		all = append(all, explained{code, docs.Title(code)})
	}
	for _, e := range explain.All() {
		if _, page := docs.Page(e.ID); !page {
			all = append(all, explained{e.ID, docs.FirstStatement(e.Means)})
		}
	}
	return all
}

// codesAndNames returns the codes and names that explain has a page for.
func codesAndNames() []string {
	var all []string
	for _, e := range explainedCodes() {
		all = append(all, e.Code)
	}
	return all
}

// groupOf returns the first part of a code: a layer or a program.
func groupOf(code string) string {
	group, _, _ := strings.Cut(code, ".")
	return group
}

// codesWith returns the codes that begin with a word such as route or docker. If there are none, it
// returns the codes that contain the word.
func codesWith(word string) []string {
	word = strings.TrimSuffix(word, ".")
	all := codesAndNames()
	if in := slices.DeleteFunc(slices.Clone(all), func(c string) bool { return groupOf(c) != word }); len(in) > 0 {
		return in
	}
	return slices.DeleteFunc(all, func(c string) bool {
		return !slices.Contains(strings.FieldsFunc(c, func(r rune) bool { return r == '.' || r == '-' }), word)
	})
}

// explainList prints explain's list: all of it, or only the given codes.
func (a *app) explainList(codes ...string) error {
	all := slices.DeleteFunc(explainedCodes(), func(e explained) bool { return len(codes) > 0 && !slices.Contains(codes, e.Code) })
	if a.ui.JSON {
		return a.ui.PrintJSON(struct {
			Schema int         `json:"schema"`
			Codes  []explained `json:"codes"`
		}{engine.Schema, all})
	}
	fields := make([]ui.Field, len(all))
	for i, e := range all {
		fields[i] = ui.Field{Name: e.Code, Text: e.Title}
	}
	a.ui.Fields(fields)
	return nil
}

// unknownCode returns the error for a code that does not exist. Its hint is the nearest code, or
// the list.
func (a *app) unknownCode(code string) error {
	if code == "" {
		return misused(hint.Own("explain"), "explain takes a code or a message, not an empty one")
	}
	like := nearest(code, codesAndNames(), 3)
	if !strings.Contains(code, ".") { // without a dot, it is likelier a layer or a program than one of their codes
		var groups []string
		for _, c := range codesAndNames() {
			groups = append(groups, groupOf(c))
		}
		if group := nearest(code, slices.Compact(groups), 1); len(group) > 0 {
			like = group
		}
	}
	switch len(like) {
	case 0:
		return misused(hint.Own("explain"), "no finding has the code %q", code)
	case 1:
		return misused(hint.Explain(like[0]), "no finding has the code %q", code)
	}
	return misused(hint.Explain(like[0]), "no finding has the code %q; similar codes: %s", code, strings.Join(like, ", "))
}
