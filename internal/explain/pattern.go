package explain

import (
	"fmt"
	"regexp"
	"strings"
)

// pattern is the words of a message: parts that follow one another in a text.
type pattern []part

// part is one of several texts, and the maximum distance in bytes from the part before.
type part struct {
	texts  []string
	within int
}

const (
	near     = 300  // "…" in a pattern
	far      = 4000 // "……"
	anywhere = 1 << 30
)

// fits reports whether a normalized text has the parts of a pattern, in order and close enough.
func (p pattern) fits(text string) bool {
	if len(p) == 0 {
		return true
	}
	for _, t := range p[0].texts {
		window := text[:min(len(text), p[0].within+len(t))]
		for from := 0; ; from++ {
			i := strings.Index(window[from:], t)
			if i < 0 {
				break
			}
			from += i
			if p[1:].fits(text[from+len(t):]) {
				return true
			}
		}
	}
	return false
}

// parsePattern parses a pattern as messages/README.md describes it.
func parsePattern(s string, lists map[string][]string) (pattern, error) {
	var p pattern
	within := anywhere
	for more := true; more; {
		var piece string
		piece, s, more = strings.Cut(s, "…")
		texts, err := alternatives(piece, lists)
		if err != nil {
			return nil, err
		}
		p = append(p, part{texts, within})
		within = near
		if rest, ok := strings.CutPrefix(s, "…"); ok {
			s, within = rest, far
		}
	}
	return p, nil
}

var (
	listName = regexp.MustCompile(`^[A-Z][A-Z_]+$`)
	choice   = regexp.MustCompile(`\{[^{}]*\|[^{}]*\}`)
)

// alternatives returns the normalized texts that a piece of a pattern stands for.
func alternatives(piece string, lists map[string][]string) ([]string, error) {
	piece = strings.TrimSpace(piece)
	if listName.MatchString(piece) {
		if len(lists[piece]) == 0 {
			return nil, fmt.Errorf("no list %s comes before", piece)
		}
		return lists[piece], nil
	}
	at := choice.FindStringIndex(piece)
	if at == nil {
		text, _ := normal(piece)
		if text == "" || strings.ContainsAny(text, "{}") || piece != strings.ToLower(piece) {
			return nil, fmt.Errorf("neither a list nor a text in lower case: %q", piece)
		}
		return []string{strings.ReplaceAll(text, "␣", " ")}, nil
	}
	var all []string
	for _, option := range strings.Split(piece[at[0]+1:at[1]-1], "|") {
		if !listName.MatchString(option) {
			option = piece[:at[0]] + option + piece[at[1]:]
		} else if at[0] > 0 || at[1] < len(piece) {
			return nil, fmt.Errorf("text beside the list %s", option)
		}
		texts, err := alternatives(option, lists)
		if err != nil {
			return nil, err
		}
		all = append(all, texts...)
	}
	return all, nil
}
