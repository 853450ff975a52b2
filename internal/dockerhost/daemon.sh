# is_daemon PID: whether it is dockerd. A pid file may be of a dockerd that was killed,
# and its number by now somebody else's.
is_daemon() {
	case $1 in '' | *[!0-9]*) return 1 ;; esac
	comm=
	{ read -r comm <"/proc/$1/comm"; } 2>/dev/null || return 1
	case $comm in
	dockerd*) return 0 ;;
	docker)
		# Until 1.11 the daemon was "docker daemon", until 1.7 "docker -d".
		case " $(tr '\0' ' ' <"/proc/$1/cmdline") " in
		*" daemon "* | *" -d "* | *" --daemon "*) return 0 ;;
		esac
		;;
	esac
	return 1
}

# ours PID: whether it is this system's, and not one that runs in a container.
ours() {
	theirs=$(readlink "/proc/$1/ns/pid" 2>/dev/null)
	[ -z "$theirs" ] || [ "$theirs" = "$(readlink /proc/self/ns/pid 2>/dev/null)" ]
}

# find_daemon PIDFILE: sets pid. The file may have been lost, and dockerd still run.
find_daemon() {
	pid=
	{ read -r pid <"$1"; } 2>/dev/null
	is_daemon "$pid" && return 0
	for d in /proc/[0-9]*; do
		pid=${d##*/}
		is_daemon "$pid" && ours "$pid" && return 0
	done
	pid=
	return 1
}
