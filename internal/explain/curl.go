package explain

// builds are signs that the words come from a command in an image that is built.
func builds() []string {
	return []string{"process \"/bin/sh -c", "the command '/bin/sh -c", "executor failed running [/bin/sh"}
}

// curlEntries are curl's messages, by its exit codes (curl(1), EXIT CODES).
func curlEntries() []Entry {
	// What is, or may be, this laptop or a VM on it.
	near := []string{" to localhost", " to 127.", " to ::1", " to 192.168.", " to 10.", " to 172.", " to default", " port 2376", " port 2375"}
	return []Entry{
		{
			ID:     "curl.timeout",
			Means:  "packets to that address get lost. On the VM's host-only address: in a VPN's tunnel, most of the time.",
			Causes: []string{"a VPN has taken the route to the host-only network", "the VM is off or has another address", "a packet filter drops the port"},
			Run:    []string{"docker-vpn-helper doctor {machine}", "docker-machine ssh {machine} curl -sS http://127.0.0.1:PORT/   # does the container answer inside the VM?"},
			Code:   "route.hijacked",
			Source: "curl(1), EXIT CODES 7 and 28; onejli/docker-vpn-helper#2",
			match:  append(with([]string{"curl: (28)", "curl: (7)"}, near, []string{"timed out", "timeout"}), with([]string{"curl: (28)"}, near, []string{"couldn't connect to server", "could not connect to server"})...),
			not:    builds(),
		},
		{
			ID:     "curl.no-answer",
			Means:  "the connection stands, and no answer, or not all of it, came in the time that curl was given.",
			Causes: []string{"the program behind the port hangs or is slow", "large packets get lost: a VPN with a small MTU", "behind VirtualBox's NAT: the VM is paused or hangs"},
			Run:    []string{"docker logs CONTAINER", "docker-vpn-helper doctor {machine}"},
			Source: "curl(1), EXIT CODES 28; curl, lib/progress.c",
			match:  []string{"curl: (28) operation timed out after…bytes received", "curl: (28) operation timed out after…out of", "curl: (28) operation too slow", "curl: (28) ssl connection timeout"},
			not:    builds(),
		},
		{
			ID:      "curl.timeout-elsewhere",
			Means:   "nobody answered at that address before curl gave up: packets get lost on the way, or are dropped at its end.",
			Causes:  []string{"a firewall drops them", "a VPN is needed for that address, or is in its way", "the server is down"},
			Run:     []string{"try with the VPN on and off", "curl -v --connect-timeout 10 …   # which address?"},
			Source:  "curl(1), EXIT CODES 7 and 28",
			match:   []string{"curl: (28)", "curl: (7)…timed out", "curl: (7)…timeout"},
			general: true,
			not:     builds(),
		},
		{
			ID:     "curl.unreachable",
			Means:  "the laptop has no way to that address.",
			Causes: []string{"the route to the host-only network is gone, as after a VPN session", "the host-only adapter is down", "the VM is off"},
			Run:    []string{"docker-vpn-helper doctor {machine}", "docker-vpn-helper fix {machine}"},
			Code:   "route.missing",
			Source: "curl(1), EXIT CODES 7",
			match:  with([]string{"curl: (7)"}, near, unreachables()),
			not:    builds(),
		},
		{
			ID:     "curl.refused",
			Means:  "nobody listens on that port at that address. A container's published port is the VM's, not the laptop's: localhost does not have it without a NAT rule.",
			Causes: []string{"localhost was asked, and the port is published in the VM", "the container does not publish the port, or has stopped", "the NAT rule is missing or the VM is off"},
			Run:    []string{"docker ps", "curl \"http://$(docker-machine ip {machine}):PORT/\"   # without VPN", "docker-vpn-helper doctor {machine}"},
			Source: "curl(1), EXIT CODES 7; onejli/docker-vpn-helper#2; docker/machine#41",
			match:  each([]string{"curl: (7) failed to connect", "curl: (7) failed connect", "curl: (7) couldn't connect"}, near...),
			not:    append(builds(), []string{"timed out", "no route to host", "network is unreachable", "host is down"}...),
		},
		{
			ID:      "curl.refused-elsewhere",
			Means:   "the connection could not be made: at that address nobody listens on that port, or there is no way to it.",
			Causes:  []string{"the service is down or has another port", "a firewall refuses the connection", "the way there needs the VPN, or is cut by it"},
			Run:     []string{"try with the VPN on and off", "curl -v …   # which address, and which words?"},
			Source:  "curl(1), EXIT CODES 7",
			match:   []string{"curl: (7) failed to connect", "curl: (7) failed connect", "curl: (7) couldn't connect", "curl: (7) could not connect", "curl: (7) connection refused"},
			general: true,
			not:     builds(),
		},
		{
			ID:     "curl.empty-reply",
			Means:  "the connection was accepted and closed without an answer. Behind VirtualBox's NAT a port where nobody listens looks like that.",
			Causes: []string{"the program in the container does not listen, or only on its own 127.0.0.1", "plain HTTP was spoken to dockerd's TLS port", "the container is still starting"},
			Run:    []string{"docker logs CONTAINER", "docker-machine ssh {machine} curl -sS http://127.0.0.1:PORT/"},
			Source: "curl(1), EXIT CODES 52 and 56",
			match:  []string{"curl: (52)", "curl: (56) recv failure", "curl: (55) send failure", "curl: (56)…ssl_error_syscall", "curl: (56) failure when receiving data"},
			not:    builds(),
		},
		{
			ID:     "curl.http09",
			Means:  "what answers does not speak HTTP: plain HTTP was sent to a TLS port, or the port is something else's.",
			Causes: []string{"http:// instead of https:// for dockerd's port 2376", "the port is SSH's"},
			Run:    []string{"docker-vpn-helper doctor {machine}"},
			Source: "curl(1), EXIT CODES 1; --http0.9",
			match:  []string{"curl: (1) received http/0.9 when not allowed"},
			not:    builds(),
		},
		{
			ID:     "curl.http-status",
			Means:  "the connection works: the server, or a proxy in its place, answered with an HTTP error.",
			Causes: []string{"404: the path is wrong", "403, 407, 502, 503: often a proxy's answer for an address that it cannot reach; the VM's must not go by it", "the program behind the port failed"},
			Run:    []string{"curl -v …   # who answers?", "curl --noproxy '*' …"},
			Source: "curl(1), EXIT CODES 22",
			match:  []string{"curl: (22) the requested url returned error"},
			not:    builds(),
		},
		{
			ID:     "curl.write",
			Means:  "the answer came, and curl could not write it: to a file, or to the program behind the pipe.",
			Causes: []string{"the program after | ended early", "the disk is full, or the directory may not be written"},
			Run:    []string{"curl -o /dev/null …   # does it come?", "df -h ."},
			Source: "curl(1), EXIT CODES 23",
			match:  []string{"curl: (23)"},
			not:    builds(),
		},
		{
			ID:     "curl.url",
			Means:  "what curl was given is no URL.",
			Causes: []string{"a variable in it is empty, as DOCKER_HOST is where eval was not run, or the output of docker-machine ip of a machine that is off", "a space or a line break in it"},
			Run:    []string{"echo \"$DOCKER_HOST\"", "docker-machine ip {machine}"},
			Source: "curl(1), EXIT CODES 3",
			match:  []string{"curl: (3)"},
			not:    builds(),
		},
		{
			ID:     "curl.protocol",
			Means:  "curl does not know tcp://, which is docker's way to write an address.",
			Causes: []string{"the value of DOCKER_HOST was given to curl as it is"},
			Run:    []string{`curl --cacert "$DOCKER_CERT_PATH/ca.pem" --cert "$DOCKER_CERT_PATH/cert.pem" --key "$DOCKER_CERT_PATH/key.pem" "https://${DOCKER_HOST#tcp://}/_ping"`},
			Source: "curl(1), EXIT CODES 1",
			match:  []string{"curl: (1) protocol \"tcp\"", "curl: (1) protocol 'tcp'", "curl: (1) protocol tcp"},
			not:    builds(),
		},
		{
			ID:     "curl.cut",
			Means:  "the connection was cut before all of the answer had come.",
			Causes: []string{"the program behind the port, or the container, ended or restarted", "a proxy or firewall between them", "the VPN connected or disconnected meanwhile"},
			Run:    []string{"try again", "docker ps"},
			Source: "curl(1), EXIT CODES 16, 18, 55, 56 and 92",
			match:  []string{"curl: (18)", "curl: (92)", "curl: (16)", "curl: (55)", "curl: (56)…ssl_read: connection reset", "curl: (56)…unexpected eof while reading"},
			not:    builds(),
		},
		{
			ID:     "curl.resolve",
			Means:  "the name does not resolve.",
			Causes: []string{"a VPN changed the DNS servers, or the name is known only inside it", "a container's or machine's name is not a host name on the laptop", "no internet"},
			Run:    []string{"try with the VPN on and off", "docker-machine ip {machine}   # if it is a machine's name"},
			Source: "curl(1), EXIT CODES 6",
			match:  []string{"curl: (6)", "curl: (28) resolving timed out"},
			not:    append(builds(), []string{"could not resolve host: localhost"}...),
		},
	}
}
