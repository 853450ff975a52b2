package deps

import (
	_ "github.com/docker/machine/libmachine/auth"
	_ "github.com/docker/machine/libmachine/engine"
	_ "github.com/docker/machine/libmachine/mcnerror"
	_ "github.com/docker/machine/libmachine/state"
	_ "github.com/docker/machine/libmachine/swarm"
	_ "github.com/fatih/color"
	_ "github.com/gofrs/flock"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/google/renameio/v2"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/spf13/cobra"
	_ "github.com/spf13/cobra/doc"
	_ "github.com/vishvananda/netlink"
	_ "golang.org/x/crypto/ssh"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
	_ "golang.org/x/tools/txtar"
)
