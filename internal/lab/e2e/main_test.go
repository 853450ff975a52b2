//go:build e2e && linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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

// ownDir makes a directory for the programs, and removes those of earlier tests that
// were killed: each is locked for as long as its test lives. The lock on what they are in keeps
// tests that start just now from a directory that is not locked yet.
func ownDir() (dir string, gone func(), err error) {
	const prefix = "docker-vpn-helper-e2e-"
	parent, err := locked(os.TempDir(), 0)
	if err != nil {
		return "", nil, err
	}
	defer parent.Close()
	earlier, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, path := range earlier {
		if d, err := locked(path, syscall.LOCK_NB); err == nil {
			err = errors.Join(os.RemoveAll(path), d.Close())
			if err != nil {
				return "", nil, err
			}
		}
	}
	if dir, err = os.MkdirTemp("", prefix); err != nil {
		return "", nil, err
	}
	d, err := locked(dir, syscall.LOCK_NB)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, func() { _ = errors.Join(os.RemoveAll(dir), d.Close()) }, nil
}

// locked opens a directory and locks it. With LOCK_NB one that is locked is an error.
func locked(path string, flags int) (*os.File, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|flags); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Geteuid() != 0 {
			fmt.Fprintln(os.Stderr, "the lab needs root")
			return 1
		}
		dir, gone, err := ownDir()
		if err == nil {
			defer gone()
			err = built.build(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}
