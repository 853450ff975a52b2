package explain

// composeFileEntries are compose's messages about its own file and versions:
// dockerd is not the matter, or was asked and is too old.
func composeFileEntries() []Entry {
	return []Entry{
		{
			ID:     "compose.file-missing",
			Means:  "compose finds no docker-compose.yml or compose.yaml in this directory or above it.",
			Causes: []string{"the directory is another than the project's", "the file has another name"},
			Run:    []string{"ls", "docker-compose -f FILE up"},
			Source: "docker/compose 1.29.2, compose/config/errors.py; compose-spec/compose-go, cli/options.go",
			match:  []string{"can't find a suitable configuration file in this directory", "no configuration file provided: not found"},
		},
		{
			ID:     "compose.file-version",
			Means:  "docker-compose does not know the version that its file names: the file is newer than the program, or the number is no string.",
			Causes: []string{"an old docker-compose, as Docker Toolbox's", "version: 3 where \"3\" is wanted, or a version that never existed"},
			Run:    []string{"docker-compose version", "brew upgrade docker-compose"},
			Source: "docker/compose 1.29.2, compose/config/config.py",
			match:  []string{"version in \"…\" is unsupported. you might be seeing this error", "version in \"…\" is invalid - it should be a string", "unsupported config option for…you might be seeing this error"},
		},
		{
			ID:     "compose.file-invalid",
			Means:  "compose reads its file and does not accept it, or does not find a Dockerfile that it names; dockerd was not asked.",
			Causes: []string{"a mistyped option, or one of a newer version of the file", "the wrong indentation", "build: names another directory"},
			Run:    []string{"docker-compose config"},
			Source: "docker/compose 1.29.2, compose/config/validation.py; docker-py, docker/utils/build.py",
			match:  []string{"the compose file '…' is invalid because", "error: cannot locate specified dockerfile"},
		},
		{
			ID:     "compose.engine-old",
			Means:  "the VM's dockerd is older than docker-compose, or the version in its file, needs.",
			Causes: []string{"an old boot2docker image"},
			Run:    []string{"docker version   # the server's", "docker-machine upgrade {machine}"},
			Code:   "daemon.api-too-old",
			Source: "docker/compose 1.29.2, compose/project.py, compose/cli/command.py",
			match:  []string{"the docker engine version is less than the minimum required by compose"},
		},
	}
}
