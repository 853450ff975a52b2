package explain

// minikubeEntries are messages of minikube, and of kubectl towards its VM, where
// they are not VirtualBox's.
func minikubeEntries() []Entry {
	return []Entry{
		{
			ID:     "minikube.vm-unreachable",
			Means:  "minikube cannot reach its VM's address: a VPN or a firewall, as it says itself. This program repairs docker-machine's VMs, not minikube's.",
			Causes: []string{"a VPN has taken the route to the VM's network", "the route was not put back when the VPN disconnected", "a firewall on the laptop"},
			Run:    []string{"route -n get 192.168.59.100   # does a utun interface own it?", "disconnect from the VPN, then: minikube start", "minikube start --driver=docker   # no VM network at all"},
			Code:   "route.hijacked",
			Source: "kubernetes/minikube eb25dbc703, pkg/minikube/node/start.go; kubernetes/minikube#1099, #4540",
			match:  []string{"minikube is unable to connect to the vm"},
		},
		{
			ID:     "minikube.no-proxy",
			Means:  "a proxy is set and the VM's address is not excepted from it.",
			Causes: []string{"NO_PROXY does not name minikube's address or network"},
			Run:    []string{`export NO_PROXY="$NO_PROXY,$(minikube ip)"`},
			Code:   "env.proxy-captures",
			Source: "kubernetes/minikube eb25dbc703, pkg/minikube/node/start.go",
			match:  []string{"your no_proxy environment does not include the minikube ip"},
		},
		{
			ID:     "minikube.registry",
			Means:  "the VM, not the laptop, cannot reach the image registry.",
			Causes: []string{"the VM's DNS or way to the internet changed when the VPN connected", "the company's proxy is not known in the VM"},
			Run:    []string{"minikube ssh -- curl -sS https://registry.k8s.io", "minikube delete && minikube start --docker-env HTTPS_PROXY=http://PROXY:PORT"},
			Source: "kubernetes/minikube eb25dbc703, pkg/minikube/node/start.go",
			match:  []string{"this vm is having trouble accessing", "this container is having trouble accessing", "failing to connect to https://registry.k8s.io", "vm is unable to access k8s.gcr.io", "vm may be unable to resolve external dns"},
		},
		{
			ID:     "minikube.kubectl-timeout",
			Means:  "kubectl cannot reach the VM's address: packets get lost, in a VPN's tunnel most of the time.",
			Causes: []string{"a VPN has taken the route to the VM's network", "the VM is off, or has another address"},
			Run:    []string{"minikube status", "disconnect from the VPN, or: minikube tunnel is of no help here, minikube start --driver=docker is"},
			Code:   "route.hijacked",
			Source: "kubernetes/minikube#4302, #9380",
			match:  each([]string{"unable to connect to the server: dial tcp 192.168.", "unable to connect to the server: dial tcp 10.0.2.", "couldn't get current server api group list……192.168."}, timeoutsAndUnreachables()...),
		},
		{
			ID:     "minikube.kubectl-handshake",
			Means:  "kubectl reached something at the cluster's address, and TLS did not come to an end: large packets get lost, or the VM is overloaded.",
			Causes: []string{"a VPN with a small MTU", "the cluster's VM is short of memory", "a proxy in between"},
			Run:    []string{"minikube status", "disconnect from the VPN and try again", "kubectl --v=6 get nodes   # which address?"},
			Source: "Go, net/http (errTLSHandshakeTimeout)",
			match:  []string{"unable to connect to the server: net/http: tls handshake timeout"},
		},
		{
			ID:     "minikube.kubectl-refused",
			Means:  "the VM is reached, and Kubernetes' API server does not listen there.",
			Causes: []string{"the cluster is stopped or still starting", "the address is another VM's now"},
			Run:    []string{"minikube status", "minikube start"},
			Source: "kubernetes/minikube#4536",
			match:  []string{"the connection to the server 192.168.…was refused", "the connection to the server localhost:8443 was refused", "the connection to the server 127.0.0.1:…was refused"},
		},
		{
			ID:     "minikube.kubectl-names",
			Means:  "the API server's certificate does not name the address that kubectl dials.",
			Causes: []string{"the VM has another address than when the cluster was made", "kubectl goes by a forwarded port on localhost"},
			Run:    []string{"minikube update-context", "minikube delete && minikube start --apiserver-names=localhost --apiserver-ips=127.0.0.1"},
			Source: "kubernetes/minikube eb25dbc703, cmd/minikube/cmd/start_flags.go",
			match:  []string{":8443…certificate is valid for", "unable to connect to the server: x509: certificate is valid for", "unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for"},
		},
		{
			ID:     "minikube.ssh-timeout",
			Means:  "minikube's VM was started and did not answer on SSH.",
			Causes: []string{"VPN or firewall software in the way", "the VM hangs at boot"},
			Run:    []string{"minikube delete", "disconnect from the VPN, then: minikube start"},
			Source: "kubernetes/minikube#4617, #3388, #7072 (IF_SSH_TIMEOUT, IF_SSH_NO_RESPONSE, DRV_CREATE_TIMEOUT)",
			match:  []string{"create host timed out in", "dial tcp …:22: connectex: a connection attempt failed", "starthost failed, but will try again: creating host: create host timed out"},
		},
		{
			ID:     "minikube.host-ip",
			Means:  "minikube does not find out by which address the VM sees the laptop.",
			Causes: []string{"the host-only adapter is gone or has no address", "the VM's second card is attached to something else"},
			Run:    []string{"VBoxManage list hostonlyifs", "minikube delete && minikube start"},
			Source: "kubernetes/minikube eb25dbc703, pkg/minikube/reason/reason.go (IF_HOST_IP)",
			match:  []string{"if_host_ip", "unable to get host ip", "failed to get host ip", "error getting host ip"},
		},
		{
			ID:     "minikube.profile",
			Means:  "there is no minikube cluster of that name.",
			Causes: []string{"it was deleted", "MINIKUBE_HOME or the profile's name differs"},
			Run:    []string{"minikube profile list"},
			Source: "kubernetes/minikube eb25dbc703, pkg/minikube/mustload",
			match:  []string{"profile \"…\" not found. run \"minikube profile list\""},
		},
	}
}

func timeoutsAndUnreachables() []string { return append(timeouts(), unreachables()...) }
