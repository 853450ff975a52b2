package explain

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
)

//go:embed testdata/known.txt
var known string

//go:embed testdata/unknown.txt
var unknown string

type sample struct{ id, text string }

// samples are the parts of a file, each after a line "== ID".
func samples(file string) []sample {
	var all []sample
	for _, part := range strings.Split(file, "\n==")[1:] {
		id, text, _ := strings.Cut(part, "\n")
		all = append(all, sample{strings.TrimSpace(id), text})
	}
	return all
}

func TestKnownMessagesAreExplainedByTheRightEntry(t *testing.T) {
	table := All()
	met := map[string]bool{}
	for _, s := range samples(known) {
		met[s.id] = true
		for name, text := range map[string]string{
			"as it is":          s.text,
			"wrapped at 60":     wrapped(s.text, 60),
			"cut at 80":         cut(s.text, 80),
			"in a JSON log":     `{"msg":` + strconv.Quote(s.text) + `}`,
			"framed":            framed(s.text),
			"by PowerShell":     powershell(s.text),
			"quoted":            "> " + strings.ReplaceAll(s.text, "\n", "\n> "),
			"quoted twice":      ">> " + strings.ReplaceAll(s.text, "\n", "\n>> "),
			"coloured, CRLF":    "\x1b(B\x1b[m\x1b]0;a title\a\x1b[31m" + strings.ReplaceAll(s.text, "\n", "\r\n") + "\x1b[0m",
			"under other lines": "Creating machine...\n(default) Starting the VM...\n" + s.text + "\nSee 'docker run --help'.\n",
		} {
			if e, ok := find(table, text); !ok {
				t.Errorf("%s: not explained, %s:\n%s", s.id, name, s.text)
			} else if e.ID != s.id {
				t.Errorf("%s: explained as %s, %s:\n%s", s.id, e.ID, name, s.text)
			}
		}
	}
	for _, e := range table {
		if !met[e.ID] {
			t.Errorf("%s has no sample", e.ID)
		}
	}
}

// wrapped breaks lines between words, as terminals and chat programs do.
func wrapped(text string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Split(text, " ") {
		if column > 0 && column+len(word) > width {
			b.WriteByte('\n')
			column = 0
		} else if column > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		column += len(word) + 1
	}
	return b.String()
}

// cut breaks lines where they are full, as Windows' console does.
func cut(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for len(line) > width+1 {
			b.WriteString(line[:width] + "\n")
			line = line[width:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// framed puts a text into a box.
func framed(text string) string {
	return "╭────╮\n│ " + strings.ReplaceAll(text, "\n", " │\n│ ") + " │\n╰────╯\n"
}

// powershell is a text as > writes it there: UTF-16, little endian, with a mark.
func powershell(text string) string {
	b := []byte("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return string(b)
}

func TestOtherTextsAreNotExplained(t *testing.T) {
	table := All()
	all := samples(unknown)
	if len(all) < 40 {
		t.Errorf("only %d samples", len(all))
	}
	for _, s := range all {
		if e, ok := find(table, s.text); ok {
			t.Errorf("explained as %s:\n%s", e.ID, s.text)
		}
	}
	if e, ok := Find(""); ok {
		t.Errorf("an empty text is explained as %s", e.ID)
	}
}

func TestEntriesAreComplete(t *testing.T) {
	all := All()
	if len(all) < 60 {
		t.Errorf("only %d messages are known", len(all))
	}
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.ID] {
			t.Errorf("%s is there twice", e.ID)
		}
		seen[e.ID] = true
		if e.Means == "" || len(e.Causes) == 0 || len(e.Run) == 0 || e.Source == "" || len(e.match) == 0 {
			t.Errorf("%s is not complete", e.ID)
		}
		if e.Code != "" && !slices.Contains(docs.Codes(), e.Code) {
			t.Errorf("%s names the code %s, which has no page", e.ID, e.Code)
		}
		for _, p := range slices.Concat(e.match, e.not) {
			if n, _ := normal(p); strings.TrimSpace(p) != n {
				t.Errorf("%s: the pattern %q can never fit: texts are compared as %q", e.ID, p, n)
			}
		}
	}
}

func TestPatternsTakePartsInOrderAndNear(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          bool
	}{
		{"dial tcp 1.2.3.4:2376: i/o timeout", "dial tcp…timeout", true},
		{"timeout, then dial tcp", "dial tcp…timeout", false},
		{"dial" + strings.Repeat(" x", near) + " timeout", "dial…timeout", false},
		{"dial" + strings.Repeat(" x", near) + " timeout", "dial……timeout", true},
		{"dial" + strings.Repeat(" x", near) + " dial timeout", "dial…timeout", true},
		{"a b c", "a…b…c", true},
		{"a c b", "a…b…c", false},
	} {
		if got := fits(c.text, c.pattern); got != c.want {
			t.Errorf("fits(%.40q, %q) = %v", c.text, c.pattern, got)
		}
	}
}

// FuzzFind: any text is answered, the answer does not depend on letter case,
// and what is around a text does not hide it.
func FuzzFind(f *testing.F) {
	for _, s := range samples(known) {
		f.Add(s.text)
	}
	for _, s := range samples(unknown) {
		f.Add(s.text)
	}
	table := All()
	f.Fuzz(func(t *testing.T, text string) {
		spaced, joined := normal(text)
		for _, n := range []string{spaced, joined} {
			if again, _ := normal(n); again != n {
				t.Errorf("normal(%q) = %q, and that becomes %q", text, n, again)
			}
		}
		a, okA := find(table, text)
		b, okB := find(table, spaced)
		if joined == spaced && (okA != okB || a.ID != b.ID) || okB && !okA {
			t.Errorf("%q is %q, %v; as %q it is %q, %v", text, a.ID, okA, spaced, b.ID, okB)
		}
	})
}
