//go:build e2e && linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// programs are built once for all tests.
type programs struct{ lab, helper string }

func (p *programs) build(dir string) error {
	p.lab, p.helper = filepath.Join(dir, "lab"), os.Getenv("DVH_BIN")
	targets := map[string]string{p.lab: "../cmd/lab"}
	if p.helper == "" {
		p.helper = filepath.Join(dir, "docker-vpn-helper")
		targets[p.helper] = "../../../cmd/docker-vpn-helper"
	}
	for out, pkg := range targets {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if text, err := exec.CommandContext(ctx, "go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", pkg, err, text)
		}
	}
	return nil
}

var built programs

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Geteuid() != 0 {
			fmt.Fprintln(os.Stderr, "the lab needs root")
			return 1
		}
		dir, err := os.MkdirTemp("", "e2e")
		if err == nil {
			defer os.RemoveAll(dir)
			err = built.build(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}
