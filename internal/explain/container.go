package explain

// containerEntries are messages of a dockerd that works, about containers and
// networks, where they mean something else because it is in a VM.
func containerEntries() []Entry {
	return []Entry{
		{
			ID:     "network.no-pool",
			Means:  "dockerd finds no private network that is free: a VPN's routes cover them all, or too many docker networks exist.",
			Causes: []string{"a dockerd on this very computer, with a VPN that claims 10/8, 172.16/12 and 192.168/16", "about 30 docker networks left behind"},
			Run:    []string{"docker network prune", "docker network create --subnet 172.30.0.0/24 NAME", "default-address-pools in dockerd's daemon.json"},
			Source: "docker/compose#6153; docker/for-linux#599; bitwarden/server#439",
			match:  []string{"non-overlapping ipv4 address pool", "all predefined address pools have been fully subnetted", "pool overlaps with other one on this address space", "list bridge addresses failed…no available network"},
		},
		{
			ID:     "container.port-allocated",
			Means:  "another container in the VM has published that port already, or a process in the VM has it.",
			Causes: []string{"an older container of the same project still runs"},
			Run:    []string{"docker ps --filter publish=8080", "docker-compose down"},
			Source: "moby/moby, libnetwork/portallocator",
			match:  []string{"port is already allocated", "bind for 0.0.0.0:…failed", "error starting userland proxy"},
			not:    []string{"ports are not available:", "cannot assign requested address"},
		},
		{
			ID:     "container.port-address",
			Means:  "the address that -p names is not one of the docker host's: dockerd listens in the VM, which has other addresses than the laptop.",
			Causes: []string{"the laptop's address before the port", "127.0.0.0, a network, in place of 127.0.0.1"},
			Run:    []string{"docker run -p 8080:80 …   # without an address", "docker-machine ip {machine}   # where the port then is"},
			Source: "docker/for-mac#2027; moby/moby, libnetwork/portmapper",
			match:  []string{"error starting userland proxy……cannot assign requested address", "driver failed programming external connectivity……cannot assign requested address", "failed to bind host port…cannot assign requested address"},
		},
		{
			ID:     "container.iptables",
			Means:  "something emptied dockerd's packet-filter chains in the docker host while it ran.",
			Causes: []string{"a firewall (firewalld, ufw, a script) was restarted or flushed after dockerd", "iptables-legacy and iptables-nft are mixed"},
			Run:    []string{"docker-machine ssh {machine} sudo /etc/init.d/docker restart   # or: systemctl restart docker; stops the containers"},
			Source: "moby/moby, libnetwork/iptables",
			match:  []string{"iptables: no chain/target/match by that name", "programming external connectivity…iptables failed", "failed to add jump rules to ipv4", "chain 'docker' does not exist", "iptables failed: iptables --wait -t nat -a docker"},
		},
		{
			ID:     "container.disk-full",
			Means:  "the docker host's disk is full, the VM's and not the laptop's.",
			Causes: []string{"images, volumes and logs in /var/lib/docker"},
			Run:    []string{"docker-machine ssh {machine} df -h /var/lib/docker", "docker system prune"},
			Source: "kubernetes/minikube eb25dbc703, known_issues.go (GUEST_PROVISION_NOSPACE)",
			match:  []string{"/var/lib/docker…no space left on device", "error response from daemon…no space left on device", "failed to register layer…no space left on device", "error pulling image……no space left on device", "untar re-exec error……no space left on device", "docker…write…no space left on device"},
		},
		{
			ID:     "container.cgroups",
			Means:  "the docker host has not mounted the cgroup hierarchy that containers want: some boot2docker images do not.",
			Causes: []string{"boot2docker 18.09 to 19.03 after some restarts", "a Linux that mounts only cgroup v2, with an old dockerd"},
			Run:    []string{"docker-machine restart {machine}", "docker-machine ssh {machine} 'sudo mkdir -p /sys/fs/cgroup/systemd && sudo mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd'"},
			Source: "docker/toolbox#816; docker/for-linux#219",
			match:  []string{"cannot find cgroup mount destination", "cgroups: cgroup mountpoint does not exist"},
		},
		{
			ID:     "container.port-desktop",
			Means:  "docker here is Docker Desktop, and another program of the laptop has the port that the container wants.",
			Causes: []string{"a web server, database or AirPlay receiver (5000, 7000) of the laptop", "the DOCKER_* variables are not set, so that docker does not go to the machine"},
			Run:    []string{"lsof -nP -iTCP:PORT -sTCP:LISTEN", "docker run -p 8081:80 …   # another port", `eval "$(docker-vpn-helper env {machine})"   # if the machine was meant`},
			Source: "docker/for-mac#6008; docker/for-win#3171",
			match:  []string{"ports are not available:"},
		},
		{
			ID:     "container.mount-kind",
			Means:  "a file was to be mounted and a directory is there, or the other way round. The path is the VM's: what the VM does not share with the laptop it makes up as an empty directory.",
			Causes: []string{"the path is outside /Users (macOS) or C:\\Users (Windows), the only ones that docker-machine's VMs share", "the path is mistyped, or relative to another directory"},
			Run:    []string{"docker-machine ssh {machine} ls -ld PATH", "move the project below your home directory"},
			Source: "docker/compose#2548; docker/machine b170508b, drivers/virtualbox/misc_*.go; moby/moby#30555",
			match:  []string{"are you trying to mount a directory onto a file", "mounting…to rootfs…not a directory", "mounting…caused \"not a directory\""},
		},
		{
			ID:     "container.bind-missing",
			Means:  "the path to mount does not exist where dockerd runs: in the VM, not on the laptop.",
			Causes: []string{"the path is outside /Users (macOS) or C:\\Users (Windows), the only ones that docker-machine's VMs share", "the path is mistyped"},
			Run:    []string{"docker-machine ssh {machine} ls -ld PATH", "move the project below your home directory"},
			Source: "docker/toolbox#729; moby/moby, volume/mounts (errBindSourceDoesNotExist)",
			match:  []string{"bind source path does not exist"},
		},
		{
			ID:     "container.mounts-denied",
			Means:  "docker here is Docker Desktop, which mounts only what its settings share.",
			Causes: []string{"the path is not among the shared ones", "the DOCKER_* variables are not set, so that docker does not go to the machine"},
			Run:    []string{"Docker Desktop: Settings, Resources, File sharing", `eval "$(docker-vpn-helper env {machine})"   # if the machine was meant`},
			Source: "docker/for-mac, documentation, File sharing",
			match:  []string{"mounts denied:", "is not shared from the host and is not known to docker", "is not shared from os x and is not known to docker"},
		},
		{
			ID:     "container.volume-form",
			Means:  "docker could not take the argument of -v apart: a Windows path has a colon of its own, and a shell of Unix kind rewrites paths.",
			Causes: []string{"C:\\path where the VM's dockerd wants /c/path", "Git Bash rewrote /path to C:/…", "a relative path: -v takes what does not begin with / for a volume's name"},
			Run:    []string{"docker run -v //c/Users/me/app:/app …", "MSYS_NO_PATHCONV=1 docker run …", "export COMPOSE_CONVERT_WINDOWS_PATHS=1"},
			Source: "docker/toolbox#607; docker/compose#4240",
			match:  []string{"invalid volume specification: '", "error response from daemon: invalid mode: /", "for flag -v: bad mode specified", "for flag -v: bad mount mode specified", "mount path must be absolute", "includes invalid characters for a local volume name", "error response from daemon: mkdir /c: file exists", "invalid bind mount spec \"", "named volume \"c:", "named volume \"d:", "error response from daemon: invalid bind mount"},
		},
	}
}
