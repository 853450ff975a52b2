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

// lastRulesTime is the timeout for removing all NAT rules at the end of a run.
const lastRulesTime = 20 * time.Second

// byRule reports whether a port can be forwarded by a NAT rule, and if not, why. VirtualBox's NAT can
// only send to the docker host's own IPv4 address.
func (f *Follower) byRule(p ports.Published) (ok bool, why string) {
	switch {
	case p.Protocol != ports.UDP:
		return false, p.Protocol + " is not forwarded"
	case f.SyncUDP == nil:
		return false, "UDP needs a NAT rule of VirtualBox, and this docker host is not behind VirtualBox's NAT"
	case p.HostIP != netip.IPv4Unspecified():
		return false, "UDP needs a NAT rule of VirtualBox, and VirtualBox's NAT does not reach the docker host's address " + p.HostIP.String()
	}
	return true, ""
}

// wantRules sets the UDP ports for which keepRules keeps NAT rules. f.mu is held.
func (f *Follower) wantRules(wanted map[ports.Key]ports.Published) {
	if !maps.Equal(f.udp, wanted) {
		f.udp = wanted
		poke(f.udpChanged)
	}
}

// keepRules keeps NAT rules for the wanted UDP ports until ctx ends, and then removes them. It first
// removes those of a killed run. It has a goroutine of its own because VBoxManage is slow.
func (f *Follower) keepRules(ctx context.Context) {
	if f.SyncUDP == nil {
		return
	}
	added, problems := map[ports.Key]ports.Published{}, map[ports.Key]string{}
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
			if len(problems) == 0 {
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
			f.reportRules(want, failed, added, problems)
		}
		retry.Reset(maxRetryTime)
	}
}

// reportRules reports what has changed: rules that were added or removed, and new problems. added and
// problems are what was reported before; it updates them.
func (f *Follower) reportRules(want map[ports.Key]ports.Published, failed map[int]error, added map[ports.Key]ports.Published, problems map[ports.Key]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range sorted(added) {
		if want[key] != added[key] {
			f.Report(Event{Kind: Remove, Port: key.Port, Protocol: key.Protocol, Container: added[key].Container})
			delete(added, key)
		}
	}
	maps.DeleteFunc(problems, func(key ports.Key, _ string) bool { return failed[key.Port] == nil })
	for _, key := range sorted(want) {
		p, err := want[key], failed[key.Port]
		_, done := added[key]
		switch {
		case err != nil && problems[key] != err.Error():
			problems[key] = err.Error()
			f.Report(Event{Kind: Problem, Port: key.Port, Protocol: key.Protocol, Container: p.Container, Reason: err.Error()})
		case err == nil && !done:
			added[key] = p
			f.Report(Event{Kind: Add, Port: key.Port, Protocol: key.Protocol, Container: p.Container, Reach: net.JoinHostPort("localhost", strconv.Itoa(key.Port))})
		}
	}
}
