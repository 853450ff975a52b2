package cli

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestResultThatDoesNotGetOut(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"version", "--json"}} {
		var errs bytes.Buffer
		code := Main(args, IO{Stdin: strings.NewReader(""), Stdout: full{}, Stderr: &errs, Getenv: func(string) string { return "" }, Version: "test"})
		if code != exitProblems {
			t.Errorf("%v: exit %d, want %d", args, code, exitProblems)
		}
		if diff := cmp.Diff("docker-vpn-helper: error: writing the result: no space left on device\n", errs.String()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", args, diff)
		}
	}
}
