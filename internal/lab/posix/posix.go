// Package posix has the shells that scripts of docker hosts must run in.
package posix

import (
	"os"
	"os/exec"
	"testing"
)

// Shells are those that are installed, each the beginning of a command line; in CI all must be.
// boot2docker has busybox.
func Shells(t testing.TB) (all [][]string) {
	t.Helper()
	for _, s := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "ash"}} {
		if _, err := exec.LookPath(s[0]); err == nil {
			all = append(all, s)
		} else if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
	}
	if len(all) == 0 {
		t.Fatal("none of dash, bash and busybox is installed")
	}
	return all
}
