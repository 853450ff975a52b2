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

// A program's closing line, before or after a line that has the reason, does not hide
// the reason. Each sample meets one closing line, too far away for a pattern to take
// parts of both.
func TestAReasonBeatsAClosingLine(t *testing.T) {
	type sample struct {
		text string
		of   Entry
	}
	var reasons, closings []sample
	for _, e := range All() {
		for _, text := range e.samples {
			if spaced, joined := normal(text); e.fits(e.match, spaced, joined) {
				reasons = append(reasons, sample{text, e})
			} else {
				closings = append(closings, sample{text, e})
			}
		}
	}
	if len(closings) < 50 {
		t.Errorf("only %d closing lines", len(closings))
	}
	between := strings.Repeat("\nWaiting for machine to be running...", 120) + "\n"
	for i, reason := range reasons {
		closing := closings[i%len(closings)]
		spaced, _ := normal(closing.text)
		if slices.ContainsFunc(reason.of.not, func(sign string) bool { return strings.Contains(spaced, sign) }) {
			continue
		}
		for _, text := range []string{reason.text + between + closing.text, closing.text + between + reason.text} {
			if e, _ := Find(text); e.ID != reason.of.ID {
				t.Errorf("with the closing line of %s, %s is explained as %q:\n%s", closing.of.ID, reason.of.ID, e.ID, reason.text)
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

// People paste the last half of docker's line. What a registry or another server prints
// just so stays unexplained.
func TestTheRestOfALine(t *testing.T) {
	for text, want := range map[string]string{
		"x509: certificate signed by unknown authority":        "docker.cert-unknown-authority",
		" x509: certificate has expired or is not yet valid\n": "docker.cert-expired",
		"tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of \"crypto/rsa: verification error\" while trying to verify candidate authority certificate \"ann\")": "docker.cert-unknown-authority",
		"remote error: tls: unknown certificate authority":     "docker.client-cert-rejected",
		"remote error: tls: bad certificate":                   "docker.client-cert-rejected",
		"http: server gave HTTP response to HTTPS client":      "docker.not-tls",
		"dial tcp 127.0.0.1:5432: connect: connection refused": "",
		"net/http: TLS handshake timeout":                      "docker.timeout",
		"context deadline exceeded":                            "docker.timeout",
		"no space left on device":                              "container.disk-full",
		"cp: no space left on device":                          "",
		"permission denied":                                    "",
		"http: TLS handshake error from 192.168.99.1:54321: remote error: tls: bad certificate": "",
		"x509: certificate signed by unknown authority\nhelm failed":                            "",
	} {
		if e, _ := FindRest(text); e.ID != want {
			t.Errorf("%q: %q, want %q", text, e.ID, want)
		}
	}
}

// docker-machine prints its name before each line of a driver's.
func TestFramesDoNotCount(t *testing.T) {
	for _, e := range All() {
		for _, sample := range e.samples {
			for _, frame := range []string{"(default) ", "(dev-2) DBG | "} {
				framed := frame + strings.ReplaceAll(strings.TrimRight(sample, "\n"), "\n", "\n"+frame)
				if got, _ := Find(framed); got.ID != e.ID {
					t.Errorf("%s is explained as %q with the frame:\n%s", e.ID, got.ID, framed)
				}
			}
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
		for i, code := range e.Also {
			if !slices.Contains(docs.Codes(), code) || code == e.Code || slices.Contains(e.Also[:i], code) || e.Code == "" {
				t.Errorf("%s names the code %s, which has no page or is named twice, or there is no first one", e.ID, code)
			}
		}
		for _, p := range e.pages {
			if !slices.Contains(docs.Codes(), p.line) {
				t.Errorf("%s names the code %s, which has no page", e.ID, p.line)
			}
		}
		samples += len(e.samples)
	}
	if len(all) < 260 || samples < 480 {
		t.Errorf("only %d messages with %d samples are known", len(all), samples)
	}
}

func TestMistakesInAFileAreErrors(t *testing.T) {
	for block, want := range map[string]string{
		"== a.b\nmeaning x\n":                      `a.b: meaning x: no line begins with "meaning"`,
		"== a.b\nmatch TIMED_OUT … x\n":            "a.b: match TIMED_OUT … x: no list TIMED_OUT comes before",
		"== a.b\nmatch Error\n":                    `a.b: match Error: neither a list nor a text in lower case: "Error"`,
		"== a.b\nmatch x …\n":                      `a.b: match x …: neither a list nor a text in lower case: ""`,
		"== a.b\nnot {x\n":                         `a.b: not {x: neither a list nor a text in lower case: "{x"`,
		"== A_LIST\nx\n== a.b\nmatch y {A_LIST|z}": "a.b: match y {A_LIST|z}: text beside the list A_LIST",
		"== a.b\nvalue PORT (\n":                   "a.b: value PORT (: error parsing regexp: missing closing ): `(?i)(`",
	} {
		c := contents{lists: map[string][]string{}}
		if err := c.add(block); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", block, err, want)
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
