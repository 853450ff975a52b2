package nsguest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
)

// BanSSH adds the rule that docker-machine's burst of logins triggers: the fifth new connection to
// port 22 from one source address within 60 seconds is answered with how, and every further attempt
// prolongs the ban (iptables recent, --update).
func (v *VM) BanSSH(ctx context.Context, how Verdict) error {
	const match = "-I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW "
	// The rules are read bottom up: each is put before the ones that are there.
	return errors.Join(
		v.filter(ctx, match+"-m recent --name sshban --set"),
		v.filter(ctx, match+"-m recent --name sshban --update --seconds 60 --hitcount 4 -j "+string(how)),
	)
}

// CutSSHOn imitates intrusion prevention that inspects packets: a packet to port 22 with this clear
// text is answered with how. The text must not have spaces.
func (v *VM) CutSSHOn(ctx context.Context, text string, how Verdict) error {
	return v.filter(ctx, "-I INPUT -p tcp --dport 22 -m string --algo bm --string "+text+" -j "+string(how))
}

// LoseLarge imitates a path whose MTU is smaller than its ends believe, with ICMP dropped: larger
// packets vanish silently in both directions.
func (v *VM) LoseLarge(ctx context.Context, device string, mtu int) error {
	// The filter must see what a wire would: no packet that is cut up only later.
	if err := v.NS.IP(ctx, "link set "+device+" gso_max_segs 1 gro_max_size 1500"); err != nil {
		return err
	}
	return errors.Join(
		v.filter(ctx, fmt.Sprintf("-I INPUT -i %s -m length --length %d:65535 -j DROP", device, mtu+1)),
		v.filter(ctx, fmt.Sprintf("-I OUTPUT -o %s -m length --length %d:65535 -j DROP", device, mtu+1)),
	)
}

// RestartSSHD restarts sshd with settings such as "MaxStartups 1:100:1" in place of those of the
// same name. Existing logins stay.
func (v *VM) RestartSSHD(ctx context.Context, settings ...string) error {
	const path = "/etc/ssh/sshd_config"
	old, err := v.ReadFile(path)
	if err != nil {
		return err
	}
	config := slices.Clone(settings)
	for line := range strings.Lines(string(old)) {
		name, _, _ := strings.Cut(line, " ")
		if !slices.ContainsFunc(settings, func(s string) bool { return strings.HasPrefix(s, name+" ") }) {
			config = append(config, strings.TrimSpace(line))
		}
	}
	if err := errors.Join(v.WriteFile(path, []byte(strings.Join(config, "\n")+"\n"), 0o644), v.KillSSHD(ctx)); err != nil {
		return err
	}
	// sshd writes its PID file once it listens.
	if _, err := v.Output(ctx, "rm", "-f", "/run/sshd.pid"); err != nil {
		return err
	}
	if _, err := v.Output(ctx, "setsid", "/usr/sbin/sshd", "-E", "/var/log/sshd.log"); err != nil {
		return err
	}
	return await.Until(ctx, "sshd of "+v.Name, func() (bool, error) {
		_, err := v.ReadFile("/run/sshd.pid")
		return err == nil, nil
	})
}

// HangSSHD stops sshd's listener with SIGSTOP: the kernel keeps accepting connections.
func (v *VM) HangSSHD(ctx context.Context) error {
	_, err := v.Output(ctx, "/bin/sh", "-c", "kill -STOP $(cat /run/sshd.pid)")
	return err
}
