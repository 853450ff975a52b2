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

//go:embed testdata/unexplained.txt
var unexplained string

// otherTexts are the parts of testdata/unexplained.txt, each after a line "==".
func otherTexts() []string { return strings.Split(unexplained, "\n==\n")[1:] }

func TestSamplesAreExplainedByTheirEntry(t *testing.T) {
	for _, e := range All() {
		for _, sample := range e.samples {
			for name, text := range map[string]string{
				"as it is":          sample,
				"wrapped at 60":     wrapped(sample, 60),
				"cut at 80":         cut(sample, 80),
				"in a JSON log":     `{"msg":` + strconv.Quote(sample) + `}`,
				"framed":            framed(sample),
				"by PowerShell":     powershell(sample),
				"quoted":            "> " + strings.ReplaceAll(sample, "\n", "\n> "),
				"quoted twice":      ">> " + strings.ReplaceAll(sample, "\n", "\n>> "),
				"colored, CRLF":     "\x1b(B\x1b[m\x1b]0;a title\a\x1b[31m" + strings.ReplaceAll(sample, "\n", "\r\n") + "\x1b[0m",
				"under other lines": "Creating machine...\n(default) Starting the VM...\n" + sample + "\nSee 'docker run --help'.\n",
			} {
				if found, ok := Find(text); !ok {
					t.Errorf("%s: not explained, %s:\n%s", e.ID, name, sample)
				} else if found.ID != e.ID {
					t.Errorf("%s: explained as %s, %s:\n%s", e.ID, found.ID, name, sample)
				}
			}
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
	all := otherTexts()
	if len(all) < 40 {
		t.Errorf("only %d samples", len(all))
	}
	for _, text := range append(all, "") {
		if e, ok := Find(text); ok {
			t.Errorf("explained as %s:\n%s", e.ID, text)
		}
	}
}

func TestEntriesAreComplete(t *testing.T) {
	all := All()
	samples := 0
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.ID] {
			t.Errorf("%s is there twice", e.ID)
		}
		seen[e.ID] = true
		if e.Means == "" || len(e.Causes) == 0 || len(e.advice) == 0 || e.Source == "" || len(e.match)+len(e.closing) == 0 || len(e.samples) == 0 {
			t.Errorf("%s is not complete", e.ID)
		}
		if e.Code != "" && !slices.Contains(docs.Codes(), e.Code) {
			t.Errorf("%s names the code %s, which has no page", e.ID, e.Code)
		}
		samples += len(e.samples)
	}
	if len(all) < 260 || samples < 480 {
		t.Errorf("only %d messages with %d samples are known", len(all), samples)
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
		p, err := parsePattern(c.pattern, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.fits(c.text); got != c.want {
			t.Errorf("%q in %.40q: %v", c.pattern, c.text, got)
		}
	}
}

// FuzzFind: any text is answered, the answer does not depend on letter case,
// and what is around a text does not hide it.
func FuzzFind(f *testing.F) {
	for _, e := range All() {
		for _, sample := range e.samples {
			f.Add(sample)
		}
	}
	for _, text := range otherTexts() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spaced, joined := normal(text)
		for _, n := range []string{spaced, joined} {
			if again, _ := normal(n); again != n {
				t.Errorf("normal(%q) = %q, and that becomes %q", text, n, again)
			}
		}
		a, okA := Find(text)
		b, okB := Find(spaced)
		if joined == spaced && (okA != okB || a.ID != b.ID) || okB && !okA {
			t.Errorf("%q is %q, %v; as %q it is %q, %v", text, a.ID, okA, spaced, b.ID, okB)
		}
	})
}
