package allowance

import (
	"context"
	"errors"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// Docker is what is to be known of a docker host, apart from its packet filters.
type Docker struct {
	Root string // where docker has its data
	Boot string // names this boot
	// Watched reports that systemd follows containers that start and stop.
	Watched bool
}

// bootCommand prints what names this boot of the docker host, as apply.sh does.
const bootCommand = `echo "$(cat /proc/sys/kernel/random/boot_id)-$(sed 's/.*) //' /proc/1/stat | cut -d' ' -f20)"`

// Ask asks a docker host. socket is dockerd's.
func Ask(ctx context.Context, h host.Host, socket string) (Docker, error) {
	script := "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" +
		"echo \"@boot $(" + bootCommand + ")\"\n" +
		"echo \"@root $(docker -H " + shell.SingleQuoted("unix://"+socket) + " info --format '{{.DockerRootDir}}')\"\n" +
		"systemctl is-active --quiet " + (&List{}).follower().PathUnit() + " 2>/dev/null && echo '@watched yes'\nexit 0\n"
	out, err := h.Run(ctx, dockerhost.RootScript(script))
	if err != nil {
		return Docker{}, err
	}
	var d Docker
	for line := range strings.Lines(string(out.Stdout)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
		case "@boot":
			d.Boot = value
		case "@root":
			d.Root = value
		case "@watched":
			d.Watched = true
		}
	}
	if d.Boot == "" || !strings.HasPrefix(d.Root, "/") || strings.ContainsAny(d.Root, "\n\t") {
		return Docker{}, errors.New("no answer from dockerd, which was asked for its data directory")
	}
	return d, nil
}
