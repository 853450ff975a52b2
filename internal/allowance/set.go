package allowance

import (
	"fmt"
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

const (
	serviceUnit = "docker-vpn-helper-allow.service"
	pathUnit    = "docker-vpn-helper-allow.path"
	dropIn      = "50-docker-vpn-helper-allow.conf"
)

// Containers' addresses are in a file of dockerd's, which changes when one starts or stops. No
// program of ours has to run for that. Without StartLimitIntervalSec=0 five containers
// that start within 10 s would end it.
const pathText = `[Unit]
Description=docker-vpn-helper allow: containers start and stop
StartLimitIntervalSec=0
[Path]
PathModified=%s/network/files/local-kv.db
[Install]
WantedBy=docker.service
`

const serviceText = `[Unit]
Description=docker-vpn-helper allow: keep containers reachable
StartLimitIntervalSec=0
After=%s
[Service]
Type=oneshot
ExecStart=/bin/sh @DIR@/apply
[Install]
WantedBy=docker.service
`

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
		Units: map[string]string{},
		Start: []string{pathUnit, serviceUnit},
		Boot:  "bootlocal.sh",
	}
	after := append([]string{"docker.service"}, l.Units...)
	s.Units[pathUnit] = fmt.Sprintf(pathText, l.Root)
	s.Units[serviceUnit] = fmt.Sprintf(serviceText, strings.Join(after, " "))
	for _, u := range l.Units {
		s.Units[path.Join(u+".d", dropIn)] = dropInText
	}
	return s
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
		found = append(found, pathUnit+" is not active: a container's new address is not noticed")
	}
	return found
}
