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

func TestEveryCodeHasATitleOfOneStatement(t *testing.T) {
	for code, want := range map[string]string{
		"machine.create-unfinished": "docker-machine create failed or was stopped before the VM was ready",
		"env.unset":                 "Neither DOCKER_HOST nor DOCKER_CONTEXT is set in this shell",
		"no.such":                   "",
	} {
		if got := Title(code); got != want {
			t.Errorf("%s: %q, want %q", code, got, want)
		}
	}
	for _, code := range Codes() {
		if title := Title(code); len(title) < 10 || len(title) > 160 || strings.ContainsAny(title, "`\n") {
			t.Errorf("%s has the title %q", code, title)
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
