package host

import (
	"context"
	"debug/buildinfo"
	"runtime/debug"
)

// BuildReader is a Laptop that can read a Go program's build information.
type BuildReader interface {
	BuildInfo(ctx context.Context, path string) (*debug.BuildInfo, error)
}

// BuildInfo implements BuildReader.
func (l *Local) BuildInfo(_ context.Context, path string) (*debug.BuildInfo, error) {
	info, err := buildinfo.ReadFile(path)
	return info, fileError(err, path)
}
