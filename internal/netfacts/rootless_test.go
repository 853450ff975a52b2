package netfacts

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// stubHost runs scripts in a shell of this computer, where root's id and docker are stubs.
type stubHost struct{ bin string }

func (h stubHost) Run(ctx context.Context, c host.Cmd) (host.Output, error) {
	cmd := exec.CommandContext(ctx, "sh", "-s")
	cmd.Env = []string{"PATH=" + h.bin + ":/usr/bin:/bin"}
	cmd.Stdin = bytes.NewReader(c.Stdin)
	out, err := cmd.Output()
	return host.Output{Stdout: out}, err
}

func (stubHost) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no connections")
}

func TestRootlessDockerIsRefused(t *testing.T) {
	h := stubHost{t.TempDir()}
	for name, text := range map[string]string{
		"id":     "echo 0",
		"docker": "case \"$*\" in *info*) echo '[name=seccomp,profile=default name=rootless name=cgroupns]' ;; esac",
	} {
		if err := os.WriteFile(filepath.Join(h.bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Collect(t.Context(), h, "/run/user/1000/docker.sock"); !errors.Is(err, ErrRootless) {
		t.Errorf("a user's own dockerd: %v", err)
	}
	f, err := Collect(t.Context(), h, "/var/run/docker.sock")
	if err != nil || !f.Docker || len(f.Containers) > 0 {
		t.Errorf("root's dockerd, without any container: %+v, %v", f, err)
	}
}
