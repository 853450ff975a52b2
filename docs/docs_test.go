package docs

import (
	"slices"
	"strings"
	"testing"
)

func TestEveryCodeHasAPageOfItsOwn(t *testing.T) {
	codes := Codes()
	if len(codes) < 40 {
		t.Fatalf("only %d codes: %v", len(codes), codes)
	}
	for i, code := range codes {
		if slices.Contains(codes[:i], code) {
			t.Errorf("%s has two headings", code)
		}
		page, ok := Page(code)
		if !ok || strings.TrimSpace(page) == "" {
			t.Errorf("%s has no page", code)
		}
		if strings.Contains("\n"+page, "\n"+heading) {
			t.Errorf("the page of %s runs into the next one:\n%s", code, page)
		}
	}
}

// TestAFaultSaysWhatToRun: a page for something wrong ends in a command, or in
// another page.
func TestAFaultSaysWhatToRun(t *testing.T) {
	for _, code := range Codes() {
		page, _ := Page(code)
		if !strings.HasSuffix(code, ".ok") && !strings.Contains(page, "Run") && !strings.Contains(page, "See ") {
			t.Errorf("%s does not say what to run:\n%s", code, page)
		}
	}
}

func TestAnUnknownCodeHasNoPage(t *testing.T) {
	for _, code := range []string{"", "machine", "machine.", "Troubleshooting", "tls.ok\n", "## tls.ok"} {
		if page, ok := Page(code); ok {
			t.Errorf("Page(%q) = %q", code, page)
		}
	}
}
