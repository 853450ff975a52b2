package allowance

import (
	"context"
	"errors"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// Docker is what must be known of a docker host besides its packet filters.
type Docker struct {
	Root    string // dockerd's data directory
	Boot    string // an ID of this boot
	Watched bool   // systemd runs apply.sh when a container starts or stops
}

// bootCommand prints the ID of this boot, as boot_id in apply.sh does.
const bootCommand = `echo "$(cat /proc/sys/kernel/random/boot_id)-$(sed 's/.*) //' /proc/1/stat | cut -d' ' -f20)"`

// Ask asks a docker host. socket is the path of dockerd's socket there.
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
		return Docker{}, errors.New("dockerd did not report its data directory")
	}
	return d, nil
}
