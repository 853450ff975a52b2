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
	else
		fail "looking for what starts dockerd" "neither systemd nor /var/lib/boot2docker is there"
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

# clock: sets now to seconds since the boot, which nobody can set back.
clock() {
	read -r now _ </proc/uptime
	now=${now%%.*}
}

# session: the SSH_CONNECTION of the session that this runs in, which sudo has taken out of
# the environment.
session() {
	pid=$$ n=0
	while [ "$pid" -gt 1 ] && [ $n -lt 40 ]; do
		n=$((n + 1))
		found=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
		[ -z "$found" ] || break
		read -r stat <"/proc/$pid/stat" || break
		# shellcheck disable=SC2086 # behind the name in parentheses are numbers
		set -- ${stat##*) }
		pid=$2
	done
	[ -z "$found" ] || echo "|$found"
}

# frames PREFIX DIRECTORY: each file, with a dot behind its last byte.
frames() {
	for f in "$2"/* "$2"/*/*; do
		[ -f "$f" ] || continue
		echo "@@$1 ${f#"$2"/}"
		{
			cat "$f"
			echo .
		} | sed 's/^/|/'
	done
}

read_all() {
	echo "@@init"
	echo "|$init"
	echo "@@dir"
	echo "|${DIR#"$ROOT"}"
	echo "@@session"
	session
	if [ -d "$DIR" ]; then
		echo "@@installed"
		frames "file" "$DIR"
		installed_units
		echo "@@boot"
		boot_files
		[ ! -f "$DIR/.start" ] || {
			echo "@@start"
			sed 's/^/|/' "$DIR/.start"
		}
	fi
	if [ -f "$PENDING/token" ]; then
		clock
		read -r end <"$PENDING/deadline"
		echo "@@pending"
		echo "|$(cat "$PENDING/token") $((end - now))"
		frames "pending file" "$PENDING/files"
		frames "pending unit" "$PENDING/units"
		echo "@@pending boot"
		echo "|$(cat "$PENDING/boot")"
		echo "@@pending start"
		sed 's/^/|/' "$PENDING/start"
	fi
	if [ -f "$DIR.saved" ]; then
		echo "@@saved"
		{
			cat "$DIR.saved"
			echo
		} | sed 's/^/|/'
	fi
}

# installed_units: the units of what lasts, as they are on disk.
installed_units() {
	[ -f "$DIR/.units" ] || return 0
	while read -r u; do
		[ -f "$UNITS/$u" ] || continue
		echo "@@unit $u"
		{
			cat "$UNITS/$u"
			echo .
		} | sed "s|$DIR|@DIR@|g; s/^/|/"
	done <"$DIR/.units"
}

boot_files() {
	for f in bootsync.sh bootlocal.sh; do
		grep -q "# docker-vpn-helper $NAME\$" "$BOOT2DOCKER/$f" 2>/dev/null && echo "|$f"
	done
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

# last: what is pending lasts from now on.
last() {
	mkdir -p "$DIR" || fail "making $DIR" "it cannot be made"
	for f in "$PENDING/files"/*; do
		[ "${f##*/}" = apply ] || copy "$f" "$DIR/${f##*/}"
	done
	for f in start boot; do copy "$PENDING/$f" "$DIR/.$f"; done
	copy "$PENDING/files/apply" "$DIR/apply"
	for f in "$DIR"/*; do
		[ -f "$PENDING/files/${f##*/}" ] || rm -f "$f"
	done
	if [ "$init" = systemd ]; then last_units; else last_boot; fi
	run "$DIR/apply" || fail "loading the rules from ${DIR#"$ROOT"}" "$said"
	start_units
	disarm
	rm -rf "$PENDING"
	settle
}

# copy FROM TO: whole or not at all.
copy() {
	tmp=${2%/*}/.${2##*/}.new
	if ! { cp "$1" "$tmp" && chmod 755 "$tmp" && mv -f "$tmp" "$2"; }; then
		fail "writing $2" "it cannot be written"
	fi
}

# settle: what was written survives a power loss.
settle() { sync -f "$(dirname "$DIR")" 2>/dev/null || sync; }

last_units() {
	(cd "$PENDING/units" 2>/dev/null && find . -type f | sed 's|^\./||') >"$PENDING/unit-list"
	changed=
	if [ -f "$DIR/.units" ]; then
		while read -r u; do
			grep -qxF "$u" "$PENDING/unit-list" || drop_unit "$u"
		done <"$DIR/.units"
	fi
	cp "$PENDING/unit-list" "$DIR/.units"
	while read -r u; do
		mkdir -p "$(dirname "$UNITS/$u")"
		sed "s|@DIR@|$DIR|g" "$PENDING/units/$u" >"$PENDING/unit"
		cmp -s "$PENDING/unit" "$UNITS/$u" && continue
		copy "$PENDING/unit" "$UNITS/$u"
		chmod 644 "$UNITS/$u"
		changed=yes
	done <"$PENDING/unit-list"
	reload
}

reload() {
	[ -z "$changed" ] && return
	said=$(systemctl daemon-reload 2>&1) || fail "systemctl daemon-reload" "$said"
}

start_units() {
	[ "$init" = systemd ] || return 0
	while read -r u; do
		[ -n "$u" ] || continue
		said=$({ systemctl enable "$u" && systemctl --no-block restart "$u"; } 2>&1) || fail "starting $u" "$said"
	done <"$DIR/.start"
}

drop_unit() {
	case $1 in */*) ;; *) systemctl disable --now "$1" >/dev/null 2>&1 ;; esac
	[ -f "$UNITS/$1" ] && changed=yes
	rm -f "$UNITS/$1"
	rmdir "$(dirname "$UNITS/$1")" 2>/dev/null
	return 0
}

# without_line FILE: FILE without our line, on stdout.
without_line() { sed "/# docker-vpn-helper $NAME\$/d" "$1"; }

last_boot() {
	for f in bootsync.sh bootlocal.sh; do
		[ "$f" = "$(cat "$DIR/.boot")" ] || drop_boot "$f"
	done
	file=$(cat "$DIR/.boot")
	[ -n "$file" ] || return 0
	line="sh $DIR/apply # docker-vpn-helper $NAME"
	file=$BOOT2DOCKER/$file
	grep -qxF "$line" "$file" 2>/dev/null && return
	[ -f "$file" ] || echo '#!/bin/sh' >"$PENDING/boot-now"
	[ ! -f "$file" ] || without_line "$file" >"$PENDING/boot-now"
	# What runs before dockerd comes first: the script may end early. What runs after it
	# comes last: it follows what the script does.
	if [ "${file##*/}" = bootsync.sh ]; then
		sed -n '1{/^#!/p;}' "$PENDING/boot-now" >"$PENDING/boot-new"
		echo "$line" >>"$PENDING/boot-new"
		sed '1{/^#!/d;}' "$PENDING/boot-now" >>"$PENDING/boot-new"
	else
		{
			cat "$PENDING/boot-now"
			[ -z "$(tail -c 1 "$PENDING/boot-now")" ] || echo
			echo "$line"
		} >"$PENDING/boot-new"
	fi
	copy "$PENDING/boot-new" "$file"
}

drop_boot() {
	file=$BOOT2DOCKER/$1
	grep -q "# docker-vpn-helper $NAME\$" "$file" 2>/dev/null || return 0
	without_line "$file" >"$file.new"
	if [ "$(cat "$file.new")" = '#!/bin/sh' ]; then
		rm -f "$file" "$file.new"
	else
		chmod 755 "$file.new" && mv -f "$file.new" "$file"
	fi
}

remove_set() {
	[ -z "$SAVED" ] || put "$(dirname "$DIR")" "$NAME.saved" "$SAVED"
	disarm
	changed=
	if [ "$init" = systemd ]; then
		if [ -f "$DIR/.units" ]; then
			while read -r u; do drop_unit "$u"; done <"$DIR/.units"
		fi
		reload
	else
		drop_boot bootsync.sh
		drop_boot bootlocal.sh
	fi
	rm -rf "$BASE/$NAME.removed"
	stage "$BASE/$NAME.removed/files" "$BASE/$NAME.removed/units"
	run "$BASE/$NAME.removed/files/remove" || fail "removing the rules" "$said"
	rm -rf "$DIR" "$PENDING" "$BASE/$NAME.removed"
	rmdir "$(dirname "$DIR")" 2>/dev/null
	settle
}

main() {
	trap '' HUP PIPE
	echo "@@docker-vpn-helper rules"
	where
	[ "$MODE" = read ] || lock
	case $MODE in
	read) read_all ;;
	install) install_set ;;
	confirm | revert | expire)
		if [ ! -f "$PENDING/token" ] || { [ -n "$TOKEN" ] && [ "$TOKEN" != "$(cat "$PENDING/token")" ]; }; then
			echo "@@none"
		elif [ "$MODE" = confirm ]; then
			last
		else
			back || fail "going back to the rules as they were" "$said"
		fi
		;;
	remove) remove_set ;;
	esac
	echo "@@done"
	echo "@@end"
}
