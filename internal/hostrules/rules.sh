# Installs, confirms, reverts and removes one set of files of a docker host: MODE, NAME,
# TOKEN, WITHIN (seconds until an unconfirmed set is reverted, 0: it lasts at once), ROOT
# (before all paths, for tests) and SELF, the text of this script. The caller writes the
# function stage, which puts the files of the set in place, and calls main.
#
# What lasts is $DIR. What is not confirmed is in $PENDING, which a reboot forgets. To
# revert is to make the kernel what $DIR says, so that a run that was killed can be reverted
# at any instant.
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

# where: sets init and DIR.
where() {
	if [ -d "$ROOT/run/systemd/system" ] && has systemctl; then
		init=systemd DIR=$ROOT/etc/docker-vpn-helper/$NAME
	elif [ -d "$BOOT2DOCKER" ]; then
		init=boot2docker DIR=$BOOT2DOCKER/docker-vpn-helper/$NAME
	else # nothing known runs it at a boot
		init=other DIR=$ROOT/etc/docker-vpn-helper/$NAME
	fi
}

# Processes that stay in the background must close 9, or they keep the lock.
lock() {
	mkdir -p "$BASE" || fail "making $BASE" "it cannot be made"
	has flock || return 0
	exec 9>"$BASE/lock"
	n=0
	until flock -n 9; do
		n=$((n + 1))
		[ $n -le 600 ] || fail "waiting for another docker-vpn-helper on the docker host" "it has not ended within a minute"
		sleep 0.1 2>/dev/null || sleep 1 # an old busybox
	done
}

# put DIRECTORY FILE TEXT: a file of the set, whole or not at all.
put() {
	if ! { mkdir -p "$1" && printf '%s' "$3" >"$1/.$2.new" && mv -f "$1/.$2.new" "$1/$2"; }; then
		fail "writing $1/$2" "it cannot be written"
	fi
}

# clock: sets now to the seconds since the boot, a clock that is never set back.
clock() {
	read -r now _ </proc/uptime
	now=${now%%.*}
}

# arm: without a confirmation, the set is reverted after WITHIN seconds.
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

# disarm: ends the timer, unless this is what it has started.
disarm() {
	[ "$MODE" != expire ] && [ -f "$PENDING/timer" ] || return 0
	read -r how what <"$PENDING/timer"
	case $how in
	unit) systemctl stop "$what.timer" >/dev/null 2>&1 ;;
	pid) # a number alone could by now belong to another process
		tr '\0' ' ' <"/proc/$what/cmdline" 2>/dev/null | grep -qF "$PENDING/revert" && kill -- "-$what" 2>/dev/null
		;;
	esac
	rm -f "$PENDING/timer"
}

# run SCRIPT: apply or remove; sets said to what it has printed.
run() {
	said=$(DVH_LOCKED=1 sh "$1" 2>&1 </dev/null 9>&-)
}

# back: the kernel becomes what lasts.
back() {
	if [ -f "$DIR/apply" ]; then
		run "$DIR/apply"
	else
		run "$PENDING/files/remove" && rm -rf "$DIR"
	fi
	ended=$?
	disarm
	rm -rf "$PENDING"
	return $ended
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
		back
		fail "loading the rules" "$why"
	fi
	[ "$WITHIN" -gt 0 ] || last
}
