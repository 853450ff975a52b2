# Functions of the part that works: its lock, its phase, commands with a time limit, dockerd.

unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_TLS DOCKER_CERT_PATH DOCKER_CONTEXT DOCKER_API_VERSION

take_lock() {
	birth $$ || birth=0
	echo "$$ $birth $ID" >"$BASE/.lock.$$" || return 1
	tries=0
	while [ "$tries" -lt 20 ]; do
		tries=$((tries + 1))
		holder && break
		mine=$((n + 1))
		# A link is created with its content or not at all, and only once.
		ln "$BASE/.lock.$$" "$BASE/lock.$mine" 2>/dev/null || continue
		holder
		# If we looked at the locks long ago, a low number may be free again.
		if [ "$n" -ne "$mine" ]; then
			rm -f "$BASE/lock.$mine"
			break
		fi
		for f in "$BASE"/lock.*; do
			[ "$f" = "$BASE/lock.$mine" ] || rm -f "$f"
		done
		rm -f "$BASE/.lock.$$"
		return 0
	done
	rm -f "$BASE/.lock.$$"
	return 1
}

phase() {
	phase=
	[ -f "$DIR/phase" ] && read -r phase <"$DIR/phase"
}
enter() {
	echo "$1" | keep phase
	phase=$1
}

# bounded SECONDS COMMAND…: runs a command with a time limit. Its output is in the files out and
# err.
bounded() {
	limit=$1
	shift
	"$@" </dev/null >"$DIR/out" 2>"$DIR/err" &
	job=$!
	(
		# This may run longer than the command: do not kill another process that has its PID.
		birth "$job" || exit
		born=$birth nap=
		trap 'kill "${nap:-$!}"; exit' TERM
		sleep "$limit" &
		nap=$!
		wait "$nap"
		birth "$job" && [ "$birth" = "$born" ] && kill -KILL "$job"
	) </dev/null >/dev/null 2>&1 &
	dog=$!
	wait "$job" 2>/dev/null
	status=$?
	kill "$dog" 2>/dev/null
	wait "$dog" 2>/dev/null
	return "$status"
}

# docker_ SECONDS ARGS…: runs docker with a time limit.
docker_() {
	seconds=$1
	shift
	bounded "$seconds" docker -H "unix://$SOCK" "$@"
}

# daemon: sets daemon to "pid:birth" of dockerd, or to "" if it is not running.
daemon() {
	daemon=''
	find_daemon "$PIDFILE" && birth "$pid" && daemon=$pid:$birth
}

alive() { birth "${1%%:*}" && [ "$birth" = "${1#*:}" ]; }

listening() {
	[ "$PORT" != 0 ] || return 0
	for f in /proc/net/tcp /proc/net/tcp6; do
		[ -r "$f" ] || continue
		while read -r _ local _ state _; do
			case $local:$state in *":$HEX:0A") return 0 ;; esac
		done <"$f"
	done
	return 1
}

# up: succeeds if dockerd answers on its socket and listens on PORT, and is not the one that was to
# be stopped.
up() {
	daemon
	if [ -n "$before" ] && [ "$daemon" = "$before" ]; then return 1; fi
	listening || return 1
	docker_ 10 version
}

log_line() {
	l=
	newest_log
	[ -z "$log" ] || l=$(last_line "$log")
	if [ -z "$l" ] && [ "$INIT" = systemd ]; then
		# Not -u, because that ends with systemd's own messages about the unit.
		l=$(journalctl _SYSTEMD_UNIT=docker.service -n 1 -o cat --no-pager 2>/dev/null)
	fi
	printf '%s\n' "$l"
}

# shellcheck disable=SC2086 # to be split into words
log_size() { ls -ln $LOGS 2>/dev/null; }

# crashed: succeeds if dockerd started and ended, and nothing will start it again.
crashed() {
	clock
	[ "$now" -gt "$looked" ] || return 1
	looked=$now
	if [ "$INIT" = systemd ]; then
		[ "$(systemctl is-failed docker.service 2>/dev/null)" = failed ]
		return
	fi
	if [ -n "$daemon" ]; then
		seen=yes gone=
		return 1
	fi
	if [ -z "$seen" ]; then
		[ "$(log_size)" != "$logged" ] || return 1
		case $(log_line) in
		*level=fatal* | *"rror starting daemon"* | *"ailed to start daemon"*) ;;
		*) return 1 ;;
		esac
	fi
	[ -n "$gone" ] || gone=$now
	[ $((now - gone)) -ge 5 ]
}

wait_up() {
	clock
	end=$((now + DEADLINE)) looked=$now seen='' gone=''
	while ! up; do
		clock
		[ "$now" -lt "$end" ] || return 1
		crashed && return 1
		pause
	done
}

# tell_init SECONDS VERB: starts or stops dockerd, with a time limit.
tell_init() {
	case $INIT in
	systemd) bounded "$1" systemctl "$2" docker.service ;;
	upstart) bounded "$1" initctl "$2" docker ;;
	*) bounded "$1" "$INIT" "$2" ;;
	esac
}

stop_daemon() {
	daemon
	victim=$daemon
	if [ "$INIT" = systemd ]; then tell_init 120 stop; else tell_init 60 stop; fi
	[ -n "$victim" ] || return 0
	# An init script that finds no PID file stops nothing.
	alive "$victim" && kill "${victim%%:*}" 2>/dev/null
	clock
	end=$((now + 30))
	while alive "$victim"; do
		clock
		[ "$now" -lt "$end" ] || kill -KILL "${victim%%:*}" 2>/dev/null
		[ "$now" -lt $((end + 5)) ] || return 0
		pause
	done
}

start_daemon() {
	logged=$(log_size)
	umask 022
	if [ "$INIT" = systemd ]; then
		# Otherwise systemd may refuse to start it after a few restarts (StartLimitBurst).
		bounded 10 systemctl reset-failed docker.service
	fi
	tell_init "$DEADLINE" start
}

restart_daemon() {
	stop_daemon
	start_daemon
}
