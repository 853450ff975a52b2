package explain

import "slices"

// registryEntries are about dockerd's own way to the internet: the docker host
// is reached, and it cannot reach a registry or name server.
func registryEntries() []Entry {
	pull := []string{"registry-1.docker.io", "index.docker.io", "auth.docker.io", "/v2/\":", "/v2/: ", "/v2/…/manifests/", "/v2/…/blobs/", "/v1/_ping", "production.cloudflare.docker.com", "failed to do request: head", "error pulling image configuration", "failed to resolve source metadata", "no successful auth challenge for http"}
	// Kubernetes' nodes pull by themselves, in other words.
	kubelet := []string{"kubelet", "imagepullbackoff", "errimagepull", "failed to pull and unpack image"}
	return []Entry{
		{
			ID:     "registry.dns",
			Means:  "dockerd is reached; the VM's own DNS does not answer or does not know the name.",
			Causes: []string{"the VM keeps the name server of the network before the VPN (10.0.2.3 is VirtualBox's)", "the VPN's DNS does not know public names, or the other way round"},
			Run:    []string{"docker-machine ssh {machine} nslookup registry-1.docker.io", "docker-machine restart {machine}   # takes the laptop's present name servers", "with the VM off: VBoxManage modifyvm {machine} --natdnshostresolver1 on"},
			Source: "docker/machine#1540, #1857; docker/toolbox#430; moby/moby#22635",
			match: append(each(append([]string{"error response from daemon", "pulling repository"}, pull...), "lookup…no such host", "lookup…server misbehaving", "lookup…i/o timeout", "lookup…connection refused", "temporary failure in name resolution"),
				"read udp 10.0.2.15:", "on 10.0.2.3:53", "lookup registry-1.docker.io", "lookup auth.docker.io", "lookup index.docker.io"),
			not: append(kubelet, "lookup localhost"),
		},
		{
			ID:     "registry.clock",
			Means:  "by the VM's clock, the registry's certificate is not valid: the VM's clock is off, most of the time.",
			Causes: []string{"the laptop slept, and the VM's clock stood still", "the VM's list of CAs is years old, and one on it has expired", "the registry's own certificate has expired, as a private registry's may"},
			Run:    []string{"date -u; docker-machine ssh {machine} date -u", "docker-machine ssh {machine} sudo date -u -s \"$(date -u +'%Y-%m-%d %H:%M:%S')\"", "docker-machine restart {machine}"},
			Code:   "tls.clock-skew",
			Source: "moby/moby#11534; boot2docker/boot2docker#290",
			match:  append(each(pull, "x509: certificate has expired"), each([]string{"docker.io/"}, "x509: certificate has expired")...),
			not:    kubelet,
		},
		{
			ID:     "registry.untrusted",
			Means:  "dockerd in the VM does not believe the registry's certificate, by its CA or its name: often a company's proxy that looks into TLS, or a captive portal.",
			Causes: []string{"a proxy or security product (Zscaler and the like) that inspects TLS", "a private registry with its own CA"},
			Run:    []string{"put the CA's certificate in /var/lib/boot2docker/certs/ca.pem in the VM, then: docker-machine restart {machine}", "for one registry: /etc/docker/certs.d/HOST:PORT/ca.crt"},
			Source: "boot2docker/boot2docker 9dd8410, bootsync.sh; docker documentation, Verify repository client with certificates",
			match:  each(pull, "x509: certificate signed by unknown authority", "x509: certificate is valid for", "x509: cannot validate certificate for", "failed to verify certificate", "certificate is not trusted"),
			not:    kubelet,
		},
		{
			ID:     "registry.http",
			Means:  "the registry answers with plain HTTP, or something in between does, where dockerd expects TLS.",
			Causes: []string{"a private registry without TLS that is not listed as insecure", "a proxy or captive portal answers"},
			Run:    []string{"docker info | grep -A3 'Insecure Registries'", "add --insecure-registry HOST:PORT to EXTRA_ARGS in /var/lib/boot2docker/profile"},
			Source: "docker documentation, Test an insecure registry; moby/moby#31779; kubernetes/minikube#6107, #7286, #3857",
			match:  each(pull, "server gave http response to https client", "first record does not look like a tls handshake", "malformed http response", "oversized record received"),
			not:    kubelet,
		},
		{
			ID:     "registry.proxy",
			Means:  "dockerd in the VM goes to the registry by a proxy that does not answer or refuses.",
			Causes: []string{"the proxy is reachable only with, or only without, the VPN", "it wants a user and a password"},
			Run:    []string{"docker info | grep -i proxy", "docker-machine ssh {machine} cat /var/lib/boot2docker/profile"},
			Source: "docker/machine#1049; kubernetes/minikube#4749",
			match:  append(each(pull, "proxyconnect tcp", "proxy authentication required", "proxy error", "service unavailable", "invalid character '<' looking for beginning of value", "bad gateway", "gateway timeout", "gateway time-out"), each([]string{"error response from daemon"}, "proxyconnect tcp", "proxy authentication required")...),
			not:    kubelet,
		},
		{
			ID:     "registry.timeout",
			Means:  "dockerd is reached, and its own way to the registry is cut or slow.",
			Causes: []string{"the VPN connected after the VM was started, and the VM's NAT or DNS is stale", "the company's network wants a proxy, which the VM does not know", "a too small MTU through the VPN: small requests work, downloads hang"},
			Run:    []string{"docker-machine ssh {machine} 'curl -sSI https://registry-1.docker.io/v2/'", "docker-machine restart {machine}"},
			Source: "moby/moby#22635, #30459; docker/for-win#1534",
			match: slices.Concat(each(pull, timeouts()...), each(pull, "request canceled while waiting for connection", "connection reset by peer", "unexpected eof", ": eof"),
				[]string{"error response from daemon: get…net/http: request canceled while waiting for connection", "network timed out while trying to connect to https://"}),
			not: append(client()[:4], kubelet...),
		},
		{
			ID:     "registry.tls-refused",
			Means:  "dockerd reached the registry, or something in between, which refused the TLS handshake.",
			Causes: []string{"a firewall or proxy of the company's that inspects TLS, or lets only some names through", "the docker of the VM is too old for the registry's TLS"},
			Run:    []string{"docker-machine ssh {machine} 'curl -svo /dev/null https://registry-1.docker.io/v2/'", "disconnect from the VPN and try again", "docker version   # the server's"},
			Source: "kubernetes/minikube#5924; Go, crypto/tls (alert.go)",
			match:  each(pull, "remote error: tls: handshake failure", "remote error: handshake failure", "remote error: tls: unrecognized name", "remote error: tls: protocol version not supported", "remote error: tls: access denied"),
			not:    append(client()[:4], kubelet...),
		},
		{
			ID:     "registry.unreachable",
			Means:  "dockerd is reached, and nobody answers where it looks for the registry.",
			Causes: []string{"the registry is inside the VPN, and the VM goes another way", "the VM has no way to the internet", "localhost in the VM is not the laptop"},
			Run:    []string{"docker-machine ssh {machine} 'curl -sSI https://registry-1.docker.io/v2/'", "docker-machine restart {machine}"},
			Source: "docker/machine#1742",
			match:  each(pull, append(refusals(), unreachables()...)...),
			not:    append(client()[:4], kubelet...),
		},
	}
}
