package allowance

import (
	"fmt"
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

// Set are the files of all allowances. root is where docker has its data, units are those
// that write rules on the docker host.
func (l *List) Set(root string, units []string) *hostrules.Set {
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
	after := append([]string{"docker.service"}, units...)
	s.Units[pathUnit] = fmt.Sprintf(pathText, root)
	s.Units[serviceUnit] = fmt.Sprintf(serviceText, strings.Join(after, " "))
	for _, u := range units {
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

// Writers are the units for which a set has files.
func Writers(s *hostrules.Set) []string {
	var all []string
	if s != nil {
		for name := range s.Units {
			if unit, ok := strings.CutSuffix(name, ".d/"+dropIn); ok {
				all = append(all, unit)
			}
		}
	}
	slices.Sort(all)
	return all
}

// BootCommand prints what names this boot of the docker host, as apply.sh does.
const BootCommand = `echo "$(cat /proc/sys/kernel/random/boot_id)-$(sed 's/.*) //' /proc/1/stat | cut -d' ' -f20)"`
