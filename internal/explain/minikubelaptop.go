package explain

// minikubeLaptopEntries are minikube's messages about the laptop it runs on, and
// about what runs in its VM, where the way between the two is not the matter.
func minikubeLaptopEntries() []Entry {
	return []Entry{
		{
			ID:     "minikube.permission",
			Means:  "minikube may not write a file of its own on the laptop, which belongs to another user: root, most of the time.",
			Causes: []string{"minikube was run under sudo once", "on Linux: root's /tmp/juju-… of an earlier sudo minikube, which fs.protected_regular guards"},
			Run:    []string{`sudo chown -R "$USER" ~/.minikube ~/.kube`, "sudo rm /tmp/juju-*   # if the message names one"},
			Source: "kubernetes/minikube 0167da641, known_issues.go (HOST_JUJU_LOCK_PERMISSION, HOST_KUBECONFIG_PERMISSION, HOST_HOME_PERMISSION)",
			match:  []string{"unable to open /tmp/juju…permission denied", "/.minikube/…: permission denied", ".kube/config: permission denied", "exiting due to host_juju_lock_permission", "exiting due to host_kubeconfig_permission", "exiting due to host_home_permission"},
			not:    []string{"id_rsa"},
		},
		{
			ID:     "minikube.root",
			Means:  "minikube refuses to use the docker driver as root.",
			Causes: []string{"it was called under sudo"},
			Run:    []string{"minikube start --driver=docker   # without sudo", "minikube start --driver=none   # if root is what is wanted, on Linux"},
			Source: "kubernetes/minikube 0167da641, pkg/minikube/reason/reason.go (DRV_AS_ROOT)",
			match:  []string{"driver should not be used with root privileges", "exiting due to drv_as_root"},
		},
		{
			ID:     "minikube.docker-env-none",
			Means:  "with the driver none there is no VM: Kubernetes' dockerd is this computer's own, and docker needs no variables for it.",
			Causes: []string{"docker-env was copied from a guide for VMs"},
			Run:    []string{"docker ps", "minikube profile list"},
			Source: "kubernetes/minikube 0167da641, cmd/minikube/cmd/docker-env.go",
			match:  []string{"'none' driver does not support 'minikube docker-env'"},
		},
		{
			ID:     "minikube.runtime-start",
			Means:  "minikube's VM runs and is reached, and docker (or containerd, cri-o) in it did not start.",
			Causes: []string{"a wrong --docker-opt or --insecure-registry", "the VM's disk is full", "a VM of an older minikube"},
			Run:    []string{"minikube ssh -- sudo journalctl -u docker --no-pager -n 30", "minikube delete && minikube start"},
			Source: "kubernetes/minikube 0167da641, known_issues.go (RT_DOCKER_RESTART, RT_DOCKER_EXIT_1)",
			match:  []string{"failed to enable container runtime", "exiting due to runtime_enable", "exiting due to rt_", "sudo systemctl -f restart docker: process exited", "sudo systemctl restart docker: process exited"},
		},
		{
			ID:     "minikube.tunnel-route",
			Means:  "minikube tunnel wants a route to the cluster's services (10.96.0.0/12), and the laptop has another one to the same network.",
			Causes: []string{"an earlier tunnel's route was left behind: the VM has another address now", "a VPN claims 10.0.0.0/8"},
			Run:    []string{"minikube tunnel --cleanup", "netstat -rn -f inet | grep '^10'", "sudo route -n delete 10.96.0.0/12   # if it leads to a VM that is gone"},
			Source: "kubernetes/minikube 0167da641, pkg/minikube/tunnel/route.go",
			match:  []string{"conflicting rule in routing table", "router: conflicting route"},
		},
		{
			ID:     "minikube.mount",
			Means:  "the VM could not mount the laptop's directory: it does not reach the laptop on minikube mount's port.",
			Causes: []string{"the laptop's firewall does not let the VM in", "a VPN took the route back to the host-only network", "the directory does not exist"},
			Run:    []string{"minikube ssh -- ping -c 1 host.minikube.internal", "let minikube through the laptop's firewall", "disconnect from the VPN and try again"},
			Source: "kubernetes/minikube 0167da641, cmd/minikube/cmd/mount.go",
			match:  []string{"exiting due to guest_mount", "mount failed: process exited with status 32"},
		},
		{
			ID:     "minikube.certs",
			Means:  "a certificate of the cluster is not of the CA that minikube has now.",
			Causes: []string{"~/.minikube was removed or copied, and the VM kept the old certificates"},
			Run:    []string{"minikube delete && minikube start"},
			Source: "kubernetes/minikube 0167da641, known_issues.go (GUEST_UNSIGNED_CERT)",
			match:  []string{"exiting due to guest_unsigned_cert", "not signed by ca certificate ca: crypto/rsa"},
		},
		{
			ID:     "minikube.docker-container",
			Means:  "with the docker driver minikube's node is a container, and that one does not run or publishes no SSH port.",
			Causes: []string{"the container stopped at once: docker logs minikube says why", "docker was restarted meanwhile", "docker talks to another dockerd now than when the cluster was made"},
			Run:    []string{"docker ps -a --filter name=minikube", "docker logs minikube", "minikube delete && minikube start"},
			Source: "kubernetes/minikube 0167da641, known_issues.go (PR_DOCKER_NO_SSH); kubernetes/minikube#8163, #8739",
			match:  []string{".networksettings.ports \"22/tcp\""},
		},
		{
			ID:     "minikube.hyperkit",
			Means:  "hyperkit, which is neither VirtualBox nor docker-machine's, crashed or got no network from macOS.",
			Causes: []string{"an old hyperkit for this macOS", "macOS's internet sharing holds vmnet"},
			Run:    []string{"brew upgrade hyperkit", "minikube delete && minikube start --driver=virtualbox"},
			Source: "kubernetes/minikube 0167da641, known_issues.go (PR_HYPERKIT_CRASHED, PR_HYPERKIT_VMNET_FRAMEWORK)",
			match:  []string{"hyperkit crashed!", "error from vmnet.framework"},
		},
		{
			ID:     "minikube.hyperv-rights",
			Means:  "the Hyper-V driver needs a terminal with an administrator's rights.",
			Causes: []string{"PowerShell or the terminal was opened as usual"},
			Run:    []string{"open PowerShell with \"Run as administrator\" and try again", "minikube start --driver=virtualbox   # where Hyper-V is off"},
			Source: "kubernetes/minikube 0167da641, known_issues.go (PR_HYPERV_AS_ADMIN); docker/machine b170508b, drivers/hyperv",
			match:  []string{"hyper-v commands have to be run as an administrator"},
		},
		{
			ID:      "minikube.guest",
			Means:   "minikube could not make or start its VM or node; the rest of that line says why.",
			Causes:  []string{"the VM or node of an earlier start is damaged", "VirtualBox, or the laptop's dockerd with the docker driver, failed"},
			Run:     []string{"minikube logs --problems", "minikube delete && minikube start", "minikube start --alsologtostderr -v=2"},
			Source:  "kubernetes/minikube 0167da641, pkg/minikube/reason/reason.go (GUEST_…)",
			match:   []string{"exiting due to guest_provision", "exiting due to guest_start", "exiting due to guest_status"},
			general: true,
		},
	}
}
