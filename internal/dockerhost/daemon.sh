# is_daemon PID: succeeds if the process is dockerd. A killed dockerd may leave its PID file, and
# another process may have its PID now.
is_daemon() {
	case $1 in '' | *[!0-9]*) return 1 ;; esac
	comm=
	{ read -r comm <"/proc/$1/comm"; } 2>/dev/null || return 1
	case $comm in
	dockerd*) return 0 ;;
	docker)
		# The daemon was "docker daemon" until 1.11, and "docker -d" until 1.7.
		case " $(tr '\0' ' ' <"/proc/$1/cmdline") " in
		*" daemon "* | *" -d "* | *" --daemon "*) return 0 ;;
		esac
		;;
	esac
	return 1
}

# ours PID: succeeds if the process is not in a container.
ours() {
	theirs=$(readlink "/proc/$1/ns/pid" 2>/dev/null)
	[ -z "$theirs" ] || [ "$theirs" = "$(readlink /proc/self/ns/pid 2>/dev/null)" ]
}

# find_daemon PIDFILE: sets pid to dockerd's, even if the file is missing.
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

# Where dockerd logs without systemd: boot2docker since 18.09, boot2docker before it, the first
# boot2docker and other init scripts, upstart. The first two are on the disk that survives an
# upgrade.
LOGS='/var/lib/boot2docker/log/docker.log /var/lib/boot2docker/docker.log /var/log/docker.log /var/log/upstart/docker.log'

# newest_log: sets log to the file that was written last, or to "" if there is none.
newest_log() {
	log=
	for f in $LOGS; do
		[ -f "$f" ] || continue
		# shellcheck disable=SC3013 # dash and busybox have -nt
		if [ -z "$log" ] || [ "$f" -nt "$log" ]; then log=$f; fi
	done
}

# last_line FILE: prints the last line that is not blank, if it is among the last 20.
# shellcheck disable=SC2016 # sed's $, not the shell's
last_line() { tail -n 20 "$1" | sed -n '/[^[:space:]]/h;${g;p;}'; }
