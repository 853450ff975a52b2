# Installs, confirms, reverts or removes one set of files on a docker host. Parameters:
#   MODE    read, install, confirm, revert, expire (revert because time is up) or remove
#   NAME    the set's name
#   TOKEN   identifies one change
#   WITHIN  seconds until an unconfirmed set is reverted; 0 makes it permanent at once
#   SAVED   with remove: the text to keep
#   ROOT    a prefix of all paths, for tests
#   SELF    the text of this script
# The caller appends the function stage, which writes the set's files, and calls main.
#
# $DIR has the permanent set. $PENDING has the unconfirmed one; a reboot deletes it. Reverting
# means loading the rules in $DIR again, which works no matter where a killed run stopped.
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
BASE=$ROOT/var/run/docker-vpn-helper/rules
PENDING=$BASE/$NAME
UNITS=$ROOT/etc/systemd/system
BOOT2DOCKER=$ROOT/var/lib/boot2docker

has() { command -v "$1" >/dev/null 2>&1; }

fail() {
	echo "@@failed"
	echo "|$1"
	echo "@@said"
	printf '%s\n' "$2" | sed 's/^/|/'
	echo "@@end"
	exit 0
}

# find_dir sets init and DIR.
find_dir() {
	if [ -d "$ROOT/run/systemd/system" ] && has systemctl; then
		init=systemd DIR=$ROOT/etc/docker-vpn-helper/$NAME
	elif [ -d "$BOOT2DOCKER" ]; then
		init=boot2docker DIR=$BOOT2DOCKER/docker-vpn-helper/$NAME
	else # nothing known can run apply at boot
		init=other DIR=$ROOT/etc/docker-vpn-helper/$NAME
	fi
}

# lock takes the lock on descriptor 9. Background processes must close 9, or they keep it.
lock() {
	mkdir -p "$BASE" || fail "creating $BASE" "mkdir failed"
	has flock || return 0
	exec 9>"$BASE/lock"
	n=0
	until flock -n 9; do
		n=$((n + 1))
		[ $n -le 600 ] || fail "waiting for another docker-vpn-helper on the docker host" "timed out after 1 minute"
		sleep 0.1 2>/dev/null || sleep 1 # an old busybox
	done
}

# put DIRECTORY FILE TEXT writes a file atomically.
put() {
	if ! { mkdir -p "$1" && printf '%s' "$3" >"$1/.$2.new" && mv -f "$1/.$2.new" "$1/$2"; }; then
		fail "writing $1/$2" "the write failed"
	fi
}

# clock sets now to the seconds since boot. Unlike the time of day, that never goes backward.
clock() {
	read -r now _ </proc/uptime
	now=${now%%.*}
}

# arm starts a timer that reverts the set after WITHIN seconds.
arm() {
	{
		echo "MODE=expire NAME=$NAME TOKEN=$TOKEN WITHIN=0 ROOT='$ROOT' SELF="
		printf '%s\n' "$SELF"
		echo main
	} >"$PENDING/revert"
	clock
	echo $((now + WITHIN)) >"$PENDING/deadline"
	unit=docker-vpn-helper-$NAME-revert-$TOKEN
	if [ "$init" = systemd ] && has systemd-run &&
		systemd-run --quiet --unit="$unit" --on-active="${WITHIN}s" --timer-property=AccuracySec=100ms sh "$PENDING/revert" >/dev/null 2>&1 9>&-; then
		echo "unit $unit" >"$PENDING/timer"
		return
	fi
	has setsid || fail "arming the revert" "there is neither systemd-run nor setsid"
	# shellcheck disable=SC2016
	setsid sh -c 'sleep "$1"; exec sh "$2"' sh "$WITHIN" "$PENDING/revert" </dev/null >/dev/null 2>&1 9>&- &
	echo "pid $!" >"$PENDING/timer"
}

# disarm stops that timer, unless this script was started by it.
disarm() {
	[ "$MODE" != expire ] && [ -f "$PENDING/timer" ] || return 0
	read -r how what <"$PENDING/timer"
	case $how in
	unit) systemctl stop "$what.timer" >/dev/null 2>&1 ;;
	pid) # another process may have this PID by now
		tr '\0' ' ' <"/proc/$what/cmdline" 2>/dev/null | grep -qF "$PENDING/revert" && kill -- "-$what" 2>/dev/null
		;;
	esac
	rm -f "$PENDING/timer"
}

# run SCRIPT runs apply or remove, and sets said to its output.
run() {
	said=$(DVH_LOCKED=1 sh "$1" 2>&1 </dev/null 9>&-)
}

# roll_back loads the permanent set's rules again, and deletes the pending set.
roll_back() {
	if [ -f "$DIR/apply" ]; then
		run "$DIR/apply"
	else
		run "$PENDING/files/remove" && rm -rf "$DIR"
	fi
	status=$?
	disarm
	rm -rf "$PENDING"
	return $status
}

install_set() {
	disarm
	rm -rf "$PENDING"
	stage "$PENDING/files" "$PENDING/units"
	echo "$TOKEN" >"$PENDING/token"
	echo 0 >"$PENDING/deadline"
	[ "$WITHIN" -eq 0 ] || arm
	if ! run "$PENDING/files/apply"; then
		why=$said
		roll_back
		fail "loading the rules" "$why"
	fi
	[ "$WITHIN" -gt 0 ] || make_permanent
}
