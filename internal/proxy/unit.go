package proxy

import (
	"fmt"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
)

// UnitName is the systemd unit that runs the proxy.
const UnitName = "docker-vpn-helper-proxy.service"

// runDir is where the unit has its copies of the files, which only its user can read.
const runDir = "/run/docker-vpn-helper-proxy"

// Unit is what the systemd unit runs.
type Unit struct {
	Program string // absolute
	// Args are the proxy's flags but for the files.
	Args []string
	// Cert, Key and CA are absolute; AllowFile may be empty.
	Cert, Key, CA, AllowFile string
	// Group may use the docker socket; "" where only root may.
	Group string
	// Socket is the docker socket, "" for docker's default.
	Socket string
	// Privileged reports that it listens on a port that needs a capability.
	Privileged bool
}

// Text is the unit file. Where a group may use the docker socket, the proxy runs as a user that
// exists only while it runs, with copies of its files; reloading copies them again.
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
		// As root, outside of the restrictions below.
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

// hardening takes from the process what it does not need (systemd.exec(5)).
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
