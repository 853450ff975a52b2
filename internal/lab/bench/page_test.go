package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWriteReplacesOneSection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	const page = "# Benchmarks\n\nIntroduction.\n\n## One\n\nold\n\n## Two\n\nkept\n"
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Section{Title: "One", Command: "make bench", Rows: []Row{{What: "a", Figure: "1 ms", Goal: "2 ms"}, {What: "b", Figure: "3 ms", Goal: "2 ms", Missed: true}}}
	const want = "# Benchmarks\n\nIntroduction.\n\n## One\n\n`make bench` on a computer\n\n| | measured | goal |\n| --- | --- | --- |\n" +
		"| a | 1 ms | 2 ms |\n| b | 3 ms | **missed**: 2 ms |\n\n## Two\n\nkept\n"
	for range 2 { // again, nothing changes
		if err := Write(file, s, "a computer"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
	if err := Write(file, Section{Title: "Three"}, ""); err == nil || !strings.Contains(err.Error(), "Three") {
		t.Errorf("a section without a heading: %v", err)
	}
}

// TestThePageHasTheSections that make bench writes.
func TestThePageHasTheSections(t *testing.T) {
	page, err := os.ReadFile("../../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, title := range []string{Program, Stores, Steps, Proxies, Relay, FirstAnswers} {
		if _, err := (Section{Title: title}).into(string(page), ""); err != nil {
			t.Error(err)
		}
	}
}

func TestMachine(t *testing.T) {
	if got := Machine(); !strings.Contains(got, runtime.Version()) || !strings.Contains(got, " processors, ") || strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
}
