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

// incurable are the codes of machines that nothing can be done about.
var incurable = []string{"machine.driver-unsupported", "machine.without-docker"}

// TestAFaultSaysWhatToRun: a page for something wrong has a command, or another page, and
// what shows that the fault is gone.
func TestAFaultSaysWhatToRun(t *testing.T) {
	for _, code := range Codes() {
		page, _ := Page(code)
		if !strings.HasSuffix(code, ".ok") && !strings.Contains(page, "Run") && !strings.Contains(page, "See ") {
			t.Errorf("%s does not say what to run:\n%s", code, page)
		}
		if _, kind, _ := strings.Cut(code, "."); strings.Contains(page, "Run") && kind != "unknown" && !slices.Contains(incurable, code) && !strings.Contains(page, "\nVerify: ") {
			t.Errorf("%s does not say how to verify that it is gone:\n%s", code, page)
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
