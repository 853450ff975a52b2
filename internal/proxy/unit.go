package proxy

import (
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// UnitName is the systemd unit that runs the proxy.
const UnitName = "docker-vpn-helper-proxy.service"

// runDir is the unit's directory for copies of its files. Only its user can read it.
const runDir = "/run/docker-vpn-helper-proxy"

// Unit describes the systemd unit.
type Unit struct {
	Program string   // absolute path
	Args    []string // the proxy's flags, except for those of files
	// Absolute paths of the files. AllowFile, which lists common names, may be "".
	Cert, Key, CA, AllowFile string
	Group                    string // the group that may use the docker socket; "" if only root may
	Socket                   string // path of the docker socket; "" for docker's default
	Privileged               bool   // listen on a port below 1024, which needs a capability
}

// Text returns the unit file. With a Group the proxy runs as a dynamic user. Because that user cannot
// read the files, root copies them when the unit starts or reloads.
func (u Unit) Text() string {
	var copies [][]string
	argv := append([]string{u.Program, "proxy", "-H", "local"}, u.Args...)
	group := u.Group
	if group == "" {
		group = "root"
	}
	for _, f := range []struct{ flag, from, name string }{
		{"--cert", u.Cert, "server.pem"}, {"--key", u.Key, "server-key.pem"}, {"--ca", u.CA, "ca.pem"}, {"--allow-cn-file", u.AllowFile, "allow-cn"},
	} {
		if f.from != "" {
			copies = append(copies, []string{"/usr/bin/install", "-m", "0440", "-o", "root", "-g", group, f.from, runDir + "/" + f.name})
			argv = append(argv, f.flag, runDir+"/"+f.name)
		}
	}
	var b strings.Builder
	b.WriteString("# Written by docker-vpn-helper proxy on; docker-vpn-helper proxy off removes it.\n[Unit]\nDescription=Mutual TLS in front of the docker socket\n" +
		"Documentation=man:docker-vpn-helper-proxy(1)\nWants=network-online.target\nAfter=network-online.target docker.socket docker.service\n\n[Service]\nType=exec\n")
	for _, c := range copies {
		// "+" means: as root, without the restrictions below.
		fmt.Fprintf(&b, "ExecStartPre=+%s\n", shell.Systemd(c...))
	}
	fmt.Fprintf(&b, "ExecStart=%s\n", shell.Systemd(argv...))
	for _, c := range copies {
		fmt.Fprintf(&b, "ExecReload=+%s\n", shell.Systemd(c...))
	}
	b.WriteString("ExecReload=/bin/kill -HUP $MAINPID\nRestart=always\nRestartSec=1\nTimeoutStopSec=15\nRuntimeDirectory=docker-vpn-helper-proxy\nRuntimeDirectoryMode=0700\n")
	if u.Group != "" {
		fmt.Fprintf(&b, "DynamicUser=yes\nSupplementaryGroups=%s\n", u.Group)
	}
	// A service has no home directory.
	fmt.Fprintf(&b, "Environment=HOME=%s\n", runDir)
	if u.Socket != "" {
		fmt.Fprintf(&b, "Environment=%s\n", shell.Systemd("DOCKER_HOST=unix://"+u.Socket))
	}
	capabilities := ""
	if u.Privileged {
		capabilities = "CAP_NET_BIND_SERVICE"
	}
	fmt.Fprintf(&b, "CapabilityBoundingSet=%[1]s\nAmbientCapabilities=%[1]s\n", capabilities)
	b.WriteString(hardening + "\n[Install]\nWantedBy=multi-user.target\n")
	return b.String()
}

// hardening forbids the process what it does not need (systemd.exec(5)).
const hardening = `NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
DevicePolicy=closed
UMask=0077
LimitNOFILE=16384
MemoryMax=256M
`
