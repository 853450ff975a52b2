package follow

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/ports"
)

// lastRulesTime bounds the removal of all rules at the end of a run.
const lastRulesTime = 20 * time.Second

// byRule reports whether a port is one for a NAT rule. VirtualBox's NAT delivers to the
// docker host's own IPv4 address.
func (f *Follower) byRule(p ports.Published) (ok bool, why string) {
	switch {
	case p.Protocol != ports.UDP:
		return false, p.Protocol + " is not forwarded"
	case f.SyncUDP == nil:
		return false, "UDP goes through a NAT rule of VirtualBox, and this docker host has none"
	case p.HostIP != netip.IPv4Unspecified():
		return false, "UDP goes through VirtualBox's NAT, which does not reach " + p.HostIP.String() + " of the docker host"
	}
	return true, ""
}

// wantRules takes the UDP ports that the containers need. f.mu is held.
func (f *Follower) wantRules(wanted map[ports.Key]ports.Published) {
	if !maps.Equal(f.udp, wanted) {
		f.udp = wanted
		poke(f.udpChanged)
	}
}

// keepRules makes the VM's NAT rules for UDP those that are wanted, until ctx ends; then it
// removes them. Those of a run that was killed go at the beginning. VBoxManage takes its
// time, in which lists go on.
func (f *Follower) keepRules(ctx context.Context) {
	if f.SyncUDP == nil {
		return
	}
	served, told := map[ports.Key]ports.Published{}, map[ports.Key]string{}
	poke(f.udpChanged)
	retry := time.NewTimer(maxRetryTime)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRulesTime)
			defer cancel()
			f.SyncUDP(last, nil)
			return
		case <-f.udpChanged:
		case <-retry.C:
			if len(told) == 0 {
				continue
			}
		}
		f.mu.Lock()
		want := f.udp
		f.mu.Unlock()
		var numbers []int
		for key := range want {
			numbers = append(numbers, key.Port)
		}
		slices.Sort(numbers)
		failed := f.SyncUDP(ctx, numbers)
		if ctx.Err() == nil {
			f.reportRules(want, served, failed, told)
		}
		retry.Reset(maxRetryTime)
	}
}

// reportRules reports what has become of the rules. served are those that were reported,
// told the problems.
func (f *Follower) reportRules(want, served map[ports.Key]ports.Published, failed map[int]error, told map[ports.Key]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range sorted(served) {
		if want[key] != served[key] {
			f.Report(Event{Kind: Remove, Port: key.Port, Protocol: key.Protocol, Container: served[key].Container})
			delete(served, key)
		}
	}
	maps.DeleteFunc(told, func(key ports.Key, _ string) bool { return failed[key.Port] == nil })
	for _, key := range sorted(want) {
		p, err := want[key], failed[key.Port]
		_, done := served[key]
		switch {
		case err != nil && told[key] != err.Error():
			told[key] = err.Error()
			f.Report(Event{Kind: Problem, Port: key.Port, Protocol: key.Protocol, Container: p.Container, Reason: err.Error()})
		case err == nil && !done:
			served[key] = p
			f.Report(Event{Kind: Add, Port: key.Port, Protocol: key.Protocol, Container: p.Container, Reach: net.JoinHostPort("localhost", strconv.Itoa(key.Port))})
		}
	}
}
