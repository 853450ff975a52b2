package allowance

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hostrules"
)

// SetName is the name of the set of files on the docker host.
const SetName = "allow"

// listFile is the set's file with the list of allowances.
const listFile = "allowances"

const dropIn = "50-docker-vpn-helper-allow.conf"

// dropInText is added to units that add rules which ours must come before. The "+" runs the
// command as root whatever the unit's user; the "-" ignores its failure.
const dropInText = `[Service]
ExecStartPost=+-/bin/sh @DIR@/apply after %n
`

// Set returns the files that keep all allowances in effect.
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

// follower has systemd load the rules again when a container starts or stops: dockerd then changes
// the file in which it keeps containers' addresses.
func (l *List) follower() hostrules.Follower {
	return hostrules.Follower{
		Name: "docker-vpn-helper-allow", Description: "docker-vpn-helper allow: keep containers reachable",
		File: l.Root + "/network/files/local-kv.db", Command: "/bin/sh @DIR@/apply",
		After: append([]string{"docker.service"}, l.Units...),
	}
}

// ListOf reads the allowances of a set. The list of a nil set is empty.
func ListOf(s *hostrules.Set) (*List, error) {
	if s == nil {
		return &List{}, nil
	}
	return Decode(s.Files[listFile])
}

// Limits returns what a docker host without systemd cannot do: load the rules again by itself when
// something changes. That would need a process of ours there.
func (l *List) Limits(state hostrules.State) []string {
	switch {
	case state.Systemd || len(l.All) == 0:
		return nil
	case state.AtBoot:
		return []string{"without systemd the rules are loaded only at boot: run allow again after a container gets another address, or another program changes its rules"}
	}
	return []string{"the docker host has neither systemd nor boot2docker: run " + state.Dir + "/apply at boot after dockerd starts, and run allow again after a container gets another address, or another program changes its rules"}
}

// UnitDrift returns the units that should load the rules again, but are not as installed.
func (l *List) UnitDrift(state hostrules.State, docker Docker) []string {
	if !state.Systemd || state.Installed == nil || state.Pending != nil {
		return nil
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(l.Set().Units)) {
		if state.Installed.Units[name] != l.Set().Units[name] {
			found = append(found, "/etc/systemd/system/"+name+" is not as allow installed it")
		}
	}
	if !docker.Watched {
		found = append(found, l.follower().PathUnit()+" is not active: a container that gets another address is not noticed")
	}
	return found
}
