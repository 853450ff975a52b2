package explain

// curlEntries are curl's messages, by its exit codes (curl(1), EXIT CODES).
func curlEntries() []Entry {
	return []Entry{
		{
			ID:     "curl.timeout",
			Means:  "packets to that address get lost. On the VM's host-only address: in a VPN's tunnel, most of the time.",
			Causes: []string{"a VPN has taken the route to the host-only network", "the VM is off or has another address", "a packet filter drops the port"},
			Run:    []string{"docker-vpn-helper doctor default", "docker-machine ssh default curl -sS http://127.0.0.1:PORT/   # does the container answer inside the VM?"},
			Code:   "route.hijacked",
			Source: "curl(1), EXIT CODES 7 and 28; onejli/docker-vpn-helper#2",
			match:  []string{"curl: (28)", "curl: (7)…timed out", "curl: (7)…timeout"},
		},
		{
			ID:     "curl.unreachable",
			Means:  "the laptop has no way to that address.",
			Causes: []string{"the route to the host-only network is gone, as after a VPN session", "the host-only adapter is down", "the VM is off"},
			Run:    []string{"docker-vpn-helper doctor default", "docker-vpn-helper fix default"},
			Code:   "route.missing",
			Source: "curl(1), EXIT CODES 7",
			match:  each([]string{"curl: (7)"}, unreachables()...),
		},
		{
			ID:     "curl.refused",
			Means:  "nobody listens on that port at that address. A container's published port is the VM's, not the laptop's: localhost does not have it without a NAT rule.",
			Causes: []string{"localhost was asked, and the port is published in the VM", "the container does not publish the port, or has stopped", "the NAT rule is missing or the VM is off"},
			Run:    []string{"docker ps", "curl \"http://$(docker-machine ip default):PORT/\"   # without VPN", "docker-vpn-helper doctor default"},
			Source: "curl(1), EXIT CODES 7; onejli/docker-vpn-helper#2; docker/machine#41",
			match:  []string{"curl: (7)"},
		},
		{
			ID:     "curl.empty-reply",
			Means:  "the connection was accepted and closed without an answer. Behind VirtualBox's NAT a port where nobody listens looks like that.",
			Causes: []string{"the program in the container does not listen, or only on its own 127.0.0.1", "plain HTTP was spoken to dockerd's TLS port", "the container is still starting"},
			Run:    []string{"docker logs CONTAINER", "docker-machine ssh default curl -sS http://127.0.0.1:PORT/"},
			Source: "curl(1), EXIT CODES 52 and 56",
			match:  []string{"curl: (52)", "curl: (56) recv failure"},
		},
		{
			ID:     "curl.client-cert-rejected",
			Means:  "the server wants a client certificate, and got none or one that it does not accept: dockerd with TLS does.",
			Causes: []string{"curl was called without --cert, --key and --cacert", "they are another machine's"},
			Run:    []string{`curl --cacert "$DOCKER_CERT_PATH/ca.pem" --cert "$DOCKER_CERT_PATH/cert.pem" --key "$DOCKER_CERT_PATH/key.pem" https://localhost:2376/_ping`},
			Code:   "tls.client-cert-rejected",
			Source: "curl(1), EXIT CODES 35 and 56",
			match:  each([]string{"curl: (56)", "curl: (35)"}, "alert bad certificate", "certificate required", "sslv3 alert certificate", "alert unknown ca", "bad_certificate", "alert handshake failure"),
		},
		{
			ID:     "curl.tls",
			Means:  "TLS could not be agreed: what answers does not speak it, or cut the connection.",
			Causes: []string{"the port speaks plain HTTP", "behind VirtualBox's NAT nobody listens", "a proxy or firewall cuts the handshake"},
			Run:    []string{"docker-vpn-helper doctor default", "curl -v http://…   # does plain HTTP answer?"},
			Source: "curl(1), EXIT CODES 35",
			match:  []string{"curl: (35)"},
		},
		{
			ID:     "curl.names",
			Means:  "the server's certificate does not have the name that was dialled.",
			Causes: []string{"127.0.0.1 was dialled, and only localhost is named", "the VM has another address than when its certificate was made"},
			Run:    []string{"use https://localhost:2376", "docker-vpn-helper fix --reissue default"},
			Code:   "tls.address-missing",
			Source: "curl(1), EXIT CODES 51 and 60",
			match:  []string{"curl: (51)", "curl: (60)…no alternative certificate subject name matches", "curl: (60)…subject name…does not match"},
		},
		{
			ID:     "curl.untrusted",
			Means:  "curl does not trust the server's certificate: its CA is not known, or a date is past.",
			Causes: []string{"--cacert is missing: docker-machine's CA is known to nobody else", "a proxy that inspects TLS", "the certificate has expired"},
			Run:    []string{`curl --cacert "$DOCKER_CERT_PATH/ca.pem" …`, "docker-vpn-helper doctor default"},
			Code:   "tls.wrong-ca",
			Source: "curl(1), EXIT CODES 60",
			match:  []string{"curl: (60)"},
		},
		{
			ID:     "curl.cert-file",
			Means:  "curl could not use the certificate or key file that it was given.",
			Causes: []string{"a wrong path: DOCKER_CERT_PATH is not set", "macOS' own curl wants the client certificate as PKCS#12, not PEM", "key and certificate do not belong together"},
			Run:    []string{`ls "$DOCKER_CERT_PATH"`, `openssl pkcs12 -export -in "$DOCKER_CERT_PATH/cert.pem" -inkey "$DOCKER_CERT_PATH/key.pem" -out cert.p12   # then: curl --cert cert.p12:PASSWORD`},
			Source: "curl(1), EXIT CODES 58 and 77",
			match:  []string{"curl: (58)", "curl: (77)"},
		},
		{
			ID:     "curl.http09",
			Means:  "what answers does not speak HTTP: plain HTTP was sent to a TLS port, or the port is something else's.",
			Causes: []string{"http:// instead of https:// for dockerd's port 2376", "the port is SSH's"},
			Run:    []string{"docker-vpn-helper doctor default"},
			Source: "curl(1), EXIT CODES 1; --http0.9",
			match:  []string{"curl: (1) received http/0.9 when not allowed"},
		},
		{
			ID:     "curl.resolve",
			Means:  "the name does not resolve.",
			Causes: []string{"a VPN changed the DNS servers", "a container's or machine's name is not a host name on the laptop"},
			Run:    []string{"docker-machine ip default", "grep localhost /etc/hosts"},
			Source: "curl(1), EXIT CODES 6",
			match:  []string{"curl: (6)"},
			not:    []string{"could not resolve host: localhost"},
		},
	}
}

// proxyEntries are answers of a proxy that should not have been asked.
func proxyEntries() []Entry {
	return []Entry{
		{
			ID:     "proxy.curl",
			Means:  "a proxy stands between curl and the address, and does not let it through.",
			Causes: []string{"http_proxy is set and no_proxy does not name localhost or the VM's address", "the proxy cannot reach addresses on this laptop"},
			Run:    []string{`eval "$(docker-vpn-helper env --no-proxy default)"`, "curl --noproxy '*' …"},
			Code:   "env.proxy-captures",
			Source: "curl(1), EXIT CODES 5, 56 and 97; docker/toolbox#370",
			match:  []string{"curl: (5)", "curl: (97)", "from proxy after connect", "proxy connect aborted", "connect tunnel failed, response"},
		},
		{
			ID:     "proxy.docker",
			Means:  "docker's call to the VM went to a proxy, which cannot reach the VM.",
			Causes: []string{"HTTP_PROXY or HTTPS_PROXY is set, and NO_PROXY does not name the VM's address"},
			Run:    []string{`eval "$(docker-vpn-helper env --no-proxy default)"`, "docker-vpn-helper doctor default"},
			Code:   "env.proxy-captures",
			Source: "docker/toolbox#540, #370, #522; docker/machine#673, #1676",
			match: append(each([]string{":2376/", "error during connect", "an error occurred trying to connect"}, "service unavailable", "forbidden", "proxyconnect tcp", "bad gateway", "gateway timeout", "gateway time-out", "proxy authentication required"),
				"cannot connect to proxy", "proxyerror('cannot connect to proxy"),
			not: []string{"pip ", "npm ", "/v2/"},
		},
	}
}
