package explain

// registryEntries are about dockerd's own way to the internet: the docker host
// is reached, and it cannot reach a registry or name server. Then come messages
// of a dockerd that works about containers and networks.
func registryEntries() []Entry {
	pull := []string{"registry-1.docker.io", "index.docker.io", "auth.docker.io", "/v2/", "/v1/_ping", "production.cloudflare.docker.com", "failed to do request: head", "error pulling image configuration", "failed to resolve source metadata"}
	return []Entry{
		{
			ID:     "registry.dns",
			Means:  "dockerd is reached; the VM's own DNS does not answer or does not know the name.",
			Causes: []string{"the VM keeps the name server of the network before the VPN (10.0.2.3 is VirtualBox's)", "the VPN's DNS does not know public names, or the other way round"},
			Run:    []string{"docker-machine ssh default nslookup registry-1.docker.io", "docker-machine restart default   # takes the laptop's present name servers", "with the VM off: VBoxManage modifyvm default --natdnshostresolver1 on"},
			Source: "docker/machine#1540, #1857; docker/toolbox#430; moby/moby#22635",
			match: append(each([]string{"error response from daemon", "failed to resolve", "error pulling", "pulling", "/v2/", "/v1/"}, "lookup…no such host", "lookup…server misbehaving", "lookup…i/o timeout", "lookup…connection refused", "temporary failure in name resolution"),
				"read udp 10.0.2.15:", "on 10.0.2.3:53", "lookup registry-1.docker.io", "lookup auth.docker.io", "lookup index.docker.io"),
			not: []string{"lookup localhost"},
		},
		{
			ID:     "registry.untrusted",
			Means:  "the registry's certificate is signed by a CA that dockerd in the VM does not know: often a company's proxy that looks into TLS.",
			Causes: []string{"a proxy or security product (Zscaler and the like) that inspects TLS", "a private registry with its own CA"},
			Run:    []string{"put the CA's certificate in /var/lib/boot2docker/certs/ca.pem in the VM, then: docker-machine restart default", "for one registry: /etc/docker/certs.d/HOST:PORT/ca.crt"},
			Source: "boot2docker/boot2docker 9dd8410, bootsync.sh; docker documentation, Verify repository client with certificates",
			match:  each(pull, "x509: certificate signed by unknown authority", "x509: certificate is valid for", "x509: certificate has expired", "failed to verify certificate", "certificate is not trusted"),
		},
		{
			ID:     "registry.http",
			Means:  "the registry answers with plain HTTP, or something in between does, where dockerd expects TLS.",
			Causes: []string{"a private registry without TLS that is not listed as insecure", "a proxy or captive portal answers"},
			Run:    []string{"docker info | grep -A3 'Insecure Registries'", "add --insecure-registry HOST:PORT to EXTRA_ARGS in /var/lib/boot2docker/profile"},
			Source: "docker documentation, Test an insecure registry; moby/moby#31779; kubernetes/minikube#6107, #7286, #3857",
			match:  each(pull, "server gave http response to https client", "first record does not look like a tls handshake", "malformed http response", "oversized record received"),
		},
		{
			ID:     "registry.proxy",
			Means:  "dockerd in the VM goes to the registry by a proxy that does not answer or refuses.",
			Causes: []string{"the proxy is reachable only with, or only without, the VPN", "it wants a user and a password"},
			Run:    []string{"docker info | grep -i proxy", "docker-machine ssh default cat /var/lib/boot2docker/profile"},
			Source: "docker/machine#1049; kubernetes/minikube#4749",
			match:  append(each(pull, "proxyconnect tcp", "proxy authentication required", "proxy error", "service unavailable"), each([]string{"error response from daemon"}, "proxyconnect tcp", "proxy authentication required")...),
		},
		{
			ID:     "registry.timeout",
			Means:  "dockerd is reached, and its own way to the registry is cut or slow.",
			Causes: []string{"the VPN connected after the VM was started, and the VM's NAT or DNS is stale", "the company's network wants a proxy, which the VM does not know", "a too small MTU through the VPN: small requests work, downloads hang"},
			Run:    []string{"docker-machine ssh default 'curl -sSI https://registry-1.docker.io/v2/'", "docker-machine restart default"},
			Source: "moby/moby#22635, #30459; docker/for-win#1534",
			match:  append(each(pull, timeouts()...), append(each(pull, "request canceled while waiting for connection", "connection reset by peer", "unexpected eof", ": eof"), "network timed out while trying to connect to https://")...),
			not:    client()[:4],
		},
		{
			ID:     "registry.unreachable",
			Means:  "dockerd is reached, and nobody answers where it looks for the registry.",
			Causes: []string{"the registry is inside the VPN, and the VM goes another way", "the VM has no way to the internet", "localhost in the VM is not the laptop"},
			Run:    []string{"docker-machine ssh default 'curl -sSI https://registry-1.docker.io/v2/'", "docker-machine restart default"},
			Source: "docker/machine#1742",
			match:  each(pull, append(refusals(), unreachables()...)...),
			not:    client()[:4],
		},
		{
			ID:     "network.no-pool",
			Means:  "dockerd finds no private network that is free: a VPN's routes cover them all, or too many docker networks exist.",
			Causes: []string{"a dockerd on this very computer, with a VPN that claims 10/8, 172.16/12 and 192.168/16", "about 30 docker networks left behind"},
			Run:    []string{"docker network prune", "docker network create --subnet 172.30.0.0/24 NAME", "default-address-pools in dockerd's daemon.json"},
			Source: "docker/compose#6153; docker/for-linux#599; bitwarden/server#439",
			match:  []string{"non-overlapping ipv4 address pool", "all predefined address pools have been fully subnetted", "pool overlaps with other one on this address space"},
		},
		{
			ID:     "container.port-allocated",
			Means:  "another container in the VM has published that port already, or a process in the VM has it.",
			Causes: []string{"an older container of the same project still runs"},
			Run:    []string{"docker ps --filter publish=8080", "docker-compose down"},
			Source: "moby/moby, libnetwork/portallocator",
			match:  []string{"port is already allocated", "bind for 0.0.0.0:…failed", "ports are not available: exposing port", "error starting userland proxy"},
		},
		{
			ID:     "container.iptables",
			Means:  "something emptied dockerd's packet-filter chains in the docker host while it ran.",
			Causes: []string{"a firewall (firewalld, ufw, a script) was restarted or flushed after dockerd", "iptables-legacy and iptables-nft are mixed"},
			Run:    []string{"docker-machine ssh default sudo /etc/init.d/docker restart   # or: systemctl restart docker; stops the containers"},
			Source: "moby/moby, libnetwork/iptables",
			match:  []string{"iptables: no chain/target/match by that name", "programming external connectivity…iptables failed", "failed to add jump rules to ipv4", "chain 'docker' does not exist", "iptables failed: iptables --wait -t nat -a docker"},
		},
		{
			ID:     "container.disk-full",
			Means:  "the docker host's disk is full, the VM's and not the laptop's.",
			Causes: []string{"images, volumes and logs in /var/lib/docker"},
			Run:    []string{"docker-machine ssh default df -h /var/lib/docker", "docker system prune"},
			Source: "kubernetes/minikube eb25dbc703, known_issues.go (GUEST_PROVISION_NOSPACE)",
			match:  []string{"/var/lib/docker…no space left on device", "error response from daemon…no space left on device", "failed to register layer…no space left on device", "docker…write…no space left on device"},
		},
	}
}
