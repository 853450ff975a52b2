package allowance

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
)

// SetName is the name of the files on the docker host.
const SetName = "allow"

// listFile is the file that has the allowances.
const listFile = "allowances"

const dropIn = "50-docker-vpn-helper-allow.conf"

// dropInText belongs to a unit that writes rules which ours have to come before. A + runs
// it as root, whatever the unit's own user; a - lets the unit succeed without it.
const dropInText = `[Service]
ExecStartPost=+-/bin/sh @DIR@/apply after %n
`

// Set are the files of all allowances.
func (l *List) Set() *hostrules.Set {
	s := &hostrules.Set{
		Name: SetName,
		Files: map[string]string{
			"apply":  strings.Replace(applyScript, "cd \"$(dirname \"$0\")\" || exit 1\n", strings.TrimPrefix(hostrules.Lock, "#!/bin/sh\n"), 1),
			"remove": removeScript, listFile: l.Encode(),
		},
		Units: l.follower().Units(),
		Start: []string{l.follower().PathUnit(), l.follower().ServiceUnit()},
		Boot:  "bootlocal.sh",
	}
	for _, u := range l.Units {
		s.Units[path.Join(u+".d", dropIn)] = dropInText
	}
	return s
}

// follower loads the rules again when a container starts or stops: its address is in a file of
// dockerd's, which changes then. No program of ours has to run for that.
func (l *List) follower() hostrules.Follower {
	return hostrules.Follower{
		Name: "docker-vpn-helper-allow", Description: "docker-vpn-helper allow: keep containers reachable",
		File: l.Root + "/network/files/local-kv.db", Command: "/bin/sh @DIR@/apply",
		After: append([]string{"docker.service"}, l.Units...),
	}
}

// Of reads the allowances of a set. A docker host without one has none.
func Of(s *hostrules.Set) (*List, error) {
	if s == nil {
		return &List{}, nil
	}
	return Decode(s.Files[listFile])
}

// Unfollowed is what does not load the rules again on a docker host without systemd. A process
// of ours that stays there would be needed for more.
func (l *List) Unfollowed(state hostrules.State) []string {
	switch {
	case state.Systemd || len(l.All) == 0:
		return nil
	case state.AtBoot:
		return []string{"without systemd the rules are loaded at a boot alone: run allow again when a container has another address, or another program has changed its rules"}
	}
	return []string{"neither systemd nor boot2docker runs there: have what starts dockerd run " + state.Dir + "/apply after it, and run allow again when a container has another address, or another program has changed its rules"}
}

// UnitDrift is what loads the rules again, and is not as it was installed.
func (l *List) UnitDrift(state hostrules.State, docker Docker) []string {
	if !state.Systemd || state.Installed == nil || state.Pending != nil {
		return nil
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(l.Set().Units)) {
		if state.Installed.Units[name] != l.Set().Units[name] {
			found = append(found, "/etc/systemd/system/"+name+" is not as allow wrote it")
		}
	}
	if !docker.Watched {
		found = append(found, l.follower().PathUnit()+" is not active: a container's new address is not noticed")
	}
	return found
}
