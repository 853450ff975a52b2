package explain

// containerUseEntries are messages of a docker host that is reached and works:
// about images, names and commands. Where the message surprises, docker often
// talks to another dockerd than the one that was meant.
func containerUseEntries() []Entry {
	// Kubernetes' nodes pull by themselves, in other words.
	kubelet := []string{"kubelet", "imagepullbackoff", "errimagepull", "failed to pull and unpack image"}
	return []Entry{
		{
			ID:     "image.rate-limited",
			Means:  "the way to the registry works, and it, Docker Hub most of the time, lets this address pull no more images for some hours.",
			Causes: []string{"all of a company behind one address, as that of its VPN, counts as one", "nobody is logged in: accounts have a limit of their own"},
			Run:    []string{"docker login", "try with the VPN off: it is another address"},
			Source: "docker documentation, Docker Hub usage and limits; docker/hub-feedback#2059",
			match:  []string{"reached your pull rate limit", "reached your unauthenticated pull rate limit", "toomanyrequests: too many requests"},
			not:    kubelet,
		},
		{
			ID:     "image.denied",
			Means:  "the way to the registry works; it has no image of that name, or not for this user: it does not tell which.",
			Causes: []string{"the name is mistyped, or lacks its registry or its owner", "the image is private and nobody is logged in", "it was built on another docker host, as Docker Desktop's, and this one does not have it"},
			Run:    []string{"docker images   # on the docker host that docker now talks to", "docker login", "docker context ls; echo \"$DOCKER_HOST\""},
			Source: "moby/moby, distribution/errors.go; docker/for-win#9562",
			match:  []string{"pull access denied for", "pull access denied, repository does not exist", "denied: requested access to the resource is denied"},
			not:    kubelet,
		},
		{
			ID:     "image.login",
			Means:  "the way to the registry works, and it wants a login, or another one.",
			Causes: []string{"nobody is logged in to that registry", "the token has expired, as a cloud's registry's does after hours", "docker runs under sudo or as another user, who is not logged in"},
			Run:    []string{"docker login REGISTRY"},
			Source: "distribution/distribution, registry/api/errcode; moby/moby#34545",
			match:  []string{"no basic auth credentials", "unauthorized: authentication required", "unauthorized: incorrect username or password", "error response from daemon: unauthorized:"},
			not:    kubelet,
		},
		{
			ID:     "image.not-found",
			Means:  "the registry has the image, or answers for it, and not under that tag.",
			Causes: []string{"the tag is mistyped or was removed; there may be no latest", "it is for another kind of processor only"},
			Run:    []string{"docker images   # what the docker host has", "look at the image's tags in the registry"},
			Source: "moby/moby, distribution/errors.go",
			match:  []string{"manifest for…not found", "error response from daemon…manifest unknown", "error response from daemon: no such image", "error response from daemon: failed to resolve reference \"…: not found"},
			not:    kubelet,
		},
		{
			ID:     "image.platform",
			Means:  "the image, or a program in it, is for another kind of processor than the docker host's.",
			Causes: []string{"built on a Mac with Apple's processor for a PC, or the other way round", "a script in it does not begin with #!"},
			Run:    []string{"docker version   # OS/Arch of the server", "docker build --platform linux/amd64 …", "docker run --platform linux/amd64 …"},
			Source: "moby/moby, daemon/create.go, distribution/pull_v2.go; execve(2), ENOEXEC",
			match:  []string{"no matching manifest for", "does not match the detected host platform", "exec user process caused…exec format error", "oci runtime create failed…exec format error", "oci runtime exec failed…exec format error", "exec /…: exec format error"},
			not:    kubelet,
		},
		{
			ID:     "container.name-taken",
			Means:  "a container of that name exists on the docker host, running or not.",
			Causes: []string{"an earlier run without --rm left it behind"},
			Run:    []string{"docker ps -a --filter name=NAME", "docker rm NAME", "docker start NAME   # if it is the one that was meant"},
			Source: "moby/moby, daemon/names.go",
			match:  []string{"the container name \"…is already in use by"},
		},
		{
			ID:     "container.unknown",
			Means:  "the dockerd that docker talks to has no container of that name.",
			Causes: []string{"the name is mistyped, or the container was removed", "it is on another docker host: DOCKER_HOST or the context differs from the terminal in which it was started"},
			Run:    []string{"docker ps -a", "docker context ls; echo \"$DOCKER_HOST\""},
			Source: "moby/moby, daemon/container.go",
			match:  []string{"error: no such container:", "error response from daemon: no such container", "error: no such object:"},
		},
		{
			ID:     "container.stopped",
			Means:  "the container is there and not running: its program ended, or was never started.",
			Causes: []string{"its program failed or had nothing more to do", "the docker host, or dockerd in it, was restarted, and the container has no restart policy"},
			Run:    []string{"docker ps -a", "docker logs NAME", "docker start NAME"},
			Source: "moby/moby, daemon/errors.go",
			match:  []string{"error response from daemon: container…is not running", "cannot exec in a stopped state"},
		},
		{
			ID:     "container.command",
			Means:  "docker reached the container, and the command that it was to run is not in it.",
			Causes: []string{"the image has no bash, often only sh", "the command is the laptop's, not the image's", "a shell script with Windows line ends"},
			Run:    []string{"docker exec -it NAME sh"},
			Source: "opencontainers/runc; moby/moby, daemon/errors.go",
			match: append(each([]string{"oci runtime exec failed", "oci runtime create failed", "failed to create task for container", "rpc error: code = 2 desc = oci runtime error", "container_linux.go:"},
				"executable file not found in $path", "exec: \"…no such file or directory"), "error response from daemon: container command '…' not found"),
			not: append([]string{"mounting…", "rootfs"}, kubelet...),
		},
		{
			ID:     "container.no-terminal",
			Means:  "docker was to give the container a terminal (-t) and has none itself.",
			Causes: []string{"Git Bash (mintty) on Windows, whose terminal docker does not take for one", "it runs in a script, a pipe or cron"},
			Run:    []string{"winpty docker run -it …   # in Git Bash", "docker run -i …   # without -t, in a script"},
			Source: "docker/cli 28f756087e, cli/streams/in.go; docker/toolbox#323",
			match:  []string{"the input device is not a tty", "cannot enable tty mode on non tty input"},
		},
		{
			ID:     "network.missing",
			Means:  "the dockerd that docker talks to has no network of that name.",
			Causes: []string{"it was removed, as by docker-compose down or docker network prune", "it is on another docker host: DOCKER_HOST or the context differs from the terminal in which it was made", "compose puts the project's name before it"},
			Run:    []string{"docker network ls", "docker network create NAME", "docker context ls; echo \"$DOCKER_HOST\""},
			Source: "moby/moby, libnetwork/error.go; docker/compose 1.29.2, compose/network.py",
			match:  []string{"error response from daemon: network…not found", "error response from daemon: could not find network", "declared as external, but could not be found", "error: no such network:"},
		},
	}
}
