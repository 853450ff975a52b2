package ticket

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// expression is a regular expression that is compiled on first use: a shell prompt may wait for the
// program's start.
type expression = func() *regexp.Regexp

func expr(s string) expression {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(s) })
}

// redactor is a text in which parts are replaced.
type redactor struct {
	text             string
	marks            map[string]map[string]string // kind → thing → mark
	secrets, removed int
}

// Replacements are between these until the end, so that no later step takes a mark for a name.
// printable has removed all others.
const opening, closing = "\x02", "\x03"

// mark returns what replaces a part.
func mark(name string) string { return opening + name + closing }

func finish(text string) string { return strings.NewReplacer(opening, "<", closing, ">").Replace(text) }

// numbered returns the mark of a thing; key must be the same for all its spellings.
func (r *redactor) numbered(kind, key string) string {
	if r.marks[kind] == nil {
		r.marks[kind] = map[string]string{}
	}
	m, ok := r.marks[kind][key]
	if !ok {
		m = mark(fmt.Sprintf("%s-%d", kind, len(r.marks[kind])+1))
		r.marks[kind][key] = m
	}
	return m
}

func (r *redactor) secret() string {
	r.secrets++
	return mark("secret")
}

// replace replaces each match; a match does not extend over a mark.
func (r *redactor) replace(re expression, with func(groups []string) string) {
	r.edit(func(s string) string {
		return re().ReplaceAllStringFunc(s, func(m string) string { return with(re().FindStringSubmatch(m)) })
	})
}

// edit changes the text between the marks.
func (r *redactor) edit(change func(string) string) {
	var b strings.Builder
	for rest := r.text; rest != ""; {
		plain, after, found := strings.Cut(rest, opening)
		if plain != "" {
			b.WriteString(change(plain))
		}
		if !found {
			break
		}
		name, after, _ := strings.Cut(after, closing)
		b.WriteString(mark(name))
		rest = after
	}
	r.text = b.String()
}
