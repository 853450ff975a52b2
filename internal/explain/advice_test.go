package explain

import (
	"reflect"
	"regexp"
	"slices"
	"testing"
)

// The whole advice for messages that were once explained wrongly, or not at all.
func TestAdvice(t *testing.T) {
	mac := Laptop{System: "darwin", Machine: "dev", Program: "docker-vpn-helper"}
	mac7 := mac
	mac7.HostOnlyNetworks = func() bool { return true }
	linux := Laptop{System: "linux", Machine: "dev", Program: "docker-vpn-helper"}
	allow := []string{"on macOS 15 or later: System Settings > Privacy & Security > Local Network: allow the terminal program"}
	renew := []string{
		"docker-vpn-helper cert show dev",
		"docker-machine regenerate-certs --client-certs dev   # then regenerate-certs for every other machine, if the CA has expired, too",
	}
	for _, c := range []struct {
		name, text string
		on         Laptop
		id, code   string
		run, do    []string
	}{
		{"dockerd is polled last, after SSH", "Daemon not responding yet: dial tcp 192.168.99.104:2376: operation timed out\nDaemon not responding yet: dial tcp 192.168.99.104:2376: network is unreachable\nDaemon not responding yet: dial tcp 192.168.99.104:2376: no route to host\nError creating machine: Maximum number of retries (60) exceeded",
			mac, "docker.timeout", "route.hijacked", []string{`eval "$(docker-vpn-helper fix dev)"`, "docker-vpn-helper doctor dev"}, nil},
		{"no host-only adapter, VirtualBox 6", "Error checking TLS connection: Machine does not have a host-only adapter",
			mac, "vbox.no-hostonly-adapter", "machine.adapter-unsupported", []string{`eval "$(docker-vpn-helper fix dev)"   # docker then uses NAT, without that card`, "VBoxManage showvminfo dev --machinereadable | grep -i -e nic2 -e 'host-*only'", "VBoxManage list hostonlyifs", "minikube start --driver=docker   # for minikube"}, nil},
		{"no host-only adapter, VirtualBox 7", "Error checking TLS connection: Machine does not have a host-only adapter",
			mac7, "vbox.no-hostonly-adapter", "machine.adapter-unsupported", []string{`eval "$(docker-vpn-helper fix dev)"   # docker then uses NAT, without that card`, "VBoxManage showvminfo dev --machinereadable | grep -i -e nic2 -e 'host-*only'", "VBoxManage list hostonlynets", "minikube start --driver=docker   # for minikube"}, nil},
		{"an old docker-machine, after our hint", "Incorrect Usage.\n\nUsage: docker-machine regenerate-certs [OPTIONS] [arg...]\nflag provided but not defined: -client-certs",
			mac, "docker-machine.no-client-certs", "tls.client-cert-rejected", []string{"docker-machine version", "mv ~/.docker/machine/certs ~/certs.old && docker-machine create -d none --url tcp://127.0.0.1:1 new-ca && docker-machine rm -f new-ca && docker-machine regenerate-certs -f dev   # without the upgrade: makes a new CA; name all machines"}, []string{"upgrade docker-machine to 0.16.2: https://github.com/docker/machine/releases"}},
		{"creation stopped before the rule for SSH", "Bad port '0'\nexit status 255",
			mac, "ssh.port-zero", "ssh.refused", []string{"VBoxManage showvminfo dev --machinereadable | grep Forwarding", "docker-machine stop dev && docker-machine start dev   # adds the rule and writes its port down", "docker-vpn-helper doctor dev"}, nil},
		{"dockerd's alert about the client certificate", `error during connect: Get "https://127.0.0.8:2376/v1.50/containers/json": remote error: tls: expired certificate`,
			mac, "docker.client-cert-expired", "tls.client-cert-rejected", renew, nil},
		{"docker's own finding about the server certificate", `error during connect: Get "https://127.0.0.8:2376/v1.50/info": x509: certificate has expired or is not yet valid: current time 2026-03-01T10:00:00Z is after 2026-02-01T00:00:00Z`,
			mac, "docker.cert-expired", "tls.expired", []string{"docker-vpn-helper cert show dev", "docker-vpn-helper fix dev   # the server certificate", "docker-machine regenerate-certs --client-certs dev   # if it is the CA that has expired; then regenerate-certs for every other machine, too"}, nil},
		{"dockerd's alert, where docker-machine finds no address", `error during connect: Get "https://127.0.0.8:2376/v1.50/containers/json": remote error: tls: expired certificate`,
			mac7, "docker.client-cert-expired", "tls.client-cert-rejected", []string{"docker-vpn-helper cert show dev", "docker-vpn-helper explain tls.without-docker-machine"}, nil},
		{"a CA that signed with SHA-1 and has the right name", `error during connect: Get "https://192.168.99.100:2376/v1.41/version": x509: certificate signed by unknown authority (possibly because of "x509: cannot verify signature: insecure algorithm SHA1-RSA" while trying to verify candidate authority certificate "kim")`,
			mac, "docker.cert-weak", "tls.weak-signature", []string{"docker-vpn-helper doctor dev", "docker-vpn-helper fix --reissue dev"}, nil},
		{"systemd's line under the reason", "Job for docker.service failed because the control process exited with error code.\nwrite /var/lib/docker/tmp: no space left on device\nError creating machine: Error running provisioning: Unable to verify the Docker daemon is listening: Maximum number of retries (10) exceeded",
			mac, "container.disk-full", "", []string{"docker-machine ssh dev df -h /var/lib/docker", "docker system prune"}, nil},
		{"VirtualBox's closing line inside docker-machine's", "VBoxManage: error: The virtual machine 'default' has terminated unexpectedly during startup with exit code 1 (0x1)\nError creating machine: Error in driver during machine creation: Maximum number of retries (60) exceeded\nLooks like something went wrong in step ´Checking status on default´",
			mac, "vbox.terminated", "", []string{"tail ~/.docker/machine/machines/dev/dev/Logs/VBox.log"}, []string{"reinstall VirtualBox, allow its system extension, reboot"}},
		{"an old VirtualBox, after the hint for 7", "VBoxManage: error: Invalid type 'hostonlynet' specfied for NIC 2",
			mac, "vbox.no-hostonly-networks", "", []string{"VBoxManage --version", "VBoxManage list hostonlyifs", "VBoxManage modifyvm dev --nic2 hostonly --hostonlyadapter2 vboxnet0   # one that is listed"}, nil},
		{"another network than docker-machine's", "VBoxManage hostonlyif ipconfig vboxnet1 --ip 10.55.0.1 --netmask 255.255.255.0 failed:\nVBoxManage: error: Code E_ACCESSDENIED (0x80070005) - Access denied (extended info not available)",
			mac, "vbox.networks-conf", "machine.range-refused", []string{`sudo mkdir -p /etc/vbox && printf '\n* 192.168.56.0/21 10.55.0.0/24\n' | sudo tee -a /etc/vbox/networks.conf`, "docker-machine start dev"}, nil},
		{"another network's route, and another adapter", "route: writing to routing socket: not in table\ndelete net 192.168.59: gateway vboxnet1: not in table",
			mac, "route.not-in-table", "route.missing", []string{"docker-vpn-helper fix dev   # adds it", "sudo route -n add -net 192.168.59 -interface vboxnet1   # VirtualBox 7: bridge100"}, nil},
		{"another port", `error during connect: Get "https://localhost:2378/v1.40/containers/json": http: server gave HTTP response to HTTPS client`,
			mac, "docker.not-tls", "tls.not-tls", []string{"docker-vpn-helper doctor dev", "lsof -nP -iTCP:2378 -sTCP:LISTEN"}, nil},
		{"registervm, after our hint, of a VM that is registered elsewhere", "VBoxManage: error: Trying to open a VM config '/Users/kim/.docker/machine/machines/dev/dev/dev.vbox' which has the same UUID as an existing virtual machine",
			mac, "vbox.already-registered", "machine.missing", []string{`VBoxManage list -l vms   # "Config file" is the place`, "docker-vpn-helper doctor dev"}, nil},
		{"curl with -v has the reason above its closing line", "* connect to 192.168.99.100 port 8080 from 192.168.99.1 port 52000 failed: No route to host\n* Failed to connect to 192.168.99.100 port 8080 after 1 ms: Couldn't connect to server\ncurl: (7) Failed to connect to 192.168.99.100 port 8080 after 1 ms: Couldn't connect to server",
			mac, "curl.unreachable", "route.local-network-denied", []string{"docker-vpn-helper doctor dev", "docker-vpn-helper fix dev"}, allow},
		{"dockerd's log: a client's alert about the server", "dockerd[2811]: http: TLS handshake error from 10.0.2.2:51234: remote error: tls: unknown certificate authority",
			mac, "docker.server-cert-in-log", "tls.wrong-ca", []string{"docker-vpn-helper cert show dev", "docker-vpn-helper doctor dev"}, nil},
		{"curl gets the alert", "curl: (56) OpenSSL SSL_read: OpenSSL/3.0.13: error:0A000415:SSL routines::sslv3 alert certificate expired, errno 0",
			mac, "curl.client-cert-expired", "tls.client-cert-rejected", renew, nil},
		{"macOS denies docker the local network", "dial tcp 192.168.99.100:2376: connect: no route to host",
			mac, "docker.unreachable", "route.local-network-denied", []string{"docker-vpn-helper doctor dev", `eval "$(docker-vpn-helper fix dev)"   # docker then connects to 127.0.0.1`}, allow},
		{"macOS denies ssh the local network", "ssh: connect to host 192.168.99.100 port 22: Undefined error: 0",
			mac, "ssh.unreachable", "route.local-network-denied", []string{"docker-vpn-helper doctor dev", "docker-vpn-helper fix dev"}, allow},
		{"Linux has no such permission", "dial tcp 192.168.99.100:2376: connect: no route to host",
			linux, "docker.unreachable", "route.stale", []string{"docker-vpn-helper doctor dev", `eval "$(docker-vpn-helper fix dev)"   # docker then connects to 127.0.0.1`}, nil},
		{"the server's newest API", "Error response from daemon: client is newer than server (client API version: 1.24, server API version: 1.21)",
			linux, "docker.api-too-new", "daemon.api-too-old", []string{"export DOCKER_API_VERSION=1.21   # the newest API of the VM's dockerd", "docker-machine upgrade dev"}, nil},
		{"the server's only API", "API version 1.39 is not supported by this client: the minimum supported API version is 1.44",
			linux, "docker.server-api-too-old", "daemon.api-too-old", []string{"export DOCKER_API_VERSION=1.39   # with it set, docker does not negotiate", "docker-machine upgrade dev"}, nil},
		{"the server's oldest API, on Linux", "client version 1.22 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
			linux, "docker.api-too-old", "daemon.client-too-old", []string{`echo "$DOCKER_API_VERSION"`, "docker --version   # upgrade it from where it was installed", "export DOCKER_API_VERSION=1.24   # for a program that cannot be upgraded, if its library reads it", "echo api.version=1.24 >> ~/.docker-java.properties   # for Java: Testcontainers before 2.0.2"}, nil},
		{"VirtualBox 7 names the network that it has made", "VBoxManage: error: Host-only adapters are no longer supported!\nVBoxManage: error: For your convenience a host-only network named 'Legacy vboxnet0 Network' has been created",
			mac7, "vbox.hostonly-unsupported", "machine.adapter-unsupported", []string{"VBoxManage list hostonlynets", `VBoxManage modifyvm dev --nic2 hostonlynet --host-only-net2 "Legacy vboxnet0 Network"   # a network of that list whose LowerIP is not the VM's address`, "docker-vpn-helper fix dev   # docker then uses NAT"}, nil},
		{"a message from Windows, read on Linux", "VBoxManage.exe: error: Failed to attach the network LUN (VERR_INTNET_FLT_IF_NOT_FOUND)",
			linux, "vbox.internal-network", "route.interface-down", []string{"VBoxManage list hostonlyifs", "VBoxManage modifyvm dev --hostonlyadapter2 vboxnet0   # one that is listed"}, []string{"disable and enable the adapter in Network Connections"}},
		{"the port in the message", "docker: Error response from daemon: driver failed programming external connectivity on endpoint web (7e6c): Bind for 0.0.0.0:80 failed: port is already allocated.",
			linux, "container.port-allocated", "", []string{"docker ps --filter publish=80", "docker-compose down"}, nil},
		{"the name in the message", `Error response from daemon: Conflict. The container name "/web-1" is already in use by container "6e4f".`,
			linux, "container.name-taken", "", []string{"docker ps -a --filter name=web-1", "docker rm web-1", "docker start web-1   # if it is the one you want"}, nil},
		{"127.0.0.1 is what the certificate lacks", "x509: certificate is valid for 192.168.99.100, not 127.0.0.1",
			linux, "docker.cert-no-loopback", "tls.address-missing", []string{"docker-vpn-helper fix --reissue dev"}, nil},
		{"localhost is what the certificate lacks", "x509: certificate is valid for 192.168.99.100, not localhost",
			linux, "docker.cert-no-localhost", "tls.name-missing", []string{"docker-vpn-helper fix dev"}, nil},
		{"the line of docker-machine's that people copy", "You can attempt to regenerate them using 'docker-machine regenerate-certs [name]'.",
			linux, "docker-machine.cert-check", "route.hijacked", []string{"docker-vpn-helper doctor dev", `eval "$(docker-vpn-helper fix dev)"`}, []string{"paste the line above this one, too: it has the reason"}},
	} {
		e, _ := Find(c.text)
		e = e.On(c.on, c.text)
		got := []any{e.ID, e.Code, e.Run, e.Do}
		if want := []any{c.id, c.code, c.run, append([]string{}, c.do...)}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, want)
		}
	}
}

// A message may come from an attacker: what a command line takes from it is made of letters,
// digits and a few signs that no shell knows.
func TestValuesCannotBeCommands(t *testing.T) {
	group := regexp.MustCompile(`\(([^?][^)]*)\)`)
	harmless := regexp.MustCompile(`^(\[[A-Za-z0-9 _.-]+\]\+|\\\.)+$`)
	for _, e := range All() {
		for _, v := range e.values {
			if m := group.FindStringSubmatch(v.re.String()); m == nil || !harmless.MatchString(m[1]) {
				t.Errorf("%s: %s may be more than a number or name: %s", e.ID, v.name, v.re)
			}
			if !slices.ContainsFunc(e.advice, func(a advice) bool { return v.word.MatchString(a.line) }) {
				t.Errorf("%s: no command has %s", e.ID, v.name)
			}
		}
	}
}
