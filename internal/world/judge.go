package world

import (
	"context"
)

func NotTLS(err error) bool                                    { return false }
func NotDocker(err error) bool                                 { return false }
func (a Answer) Rejected() bool                                { return false }
func (w *World) StoppedByRestart(ctx context.Context) []string { return nil }
