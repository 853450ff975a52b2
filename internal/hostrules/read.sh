# Prints what a docker host has of a set. It follows rules.sh, whose variables it uses.

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
	if [ "$init" = other ]; then
		echo "|$(cat "$DIR/.boot")"
		return
	fi
	for f in bootsync.sh bootlocal.sh; do
		grep -q "# docker-vpn-helper $NAME\$" "$BOOT2DOCKER/$f" 2>/dev/null && echo "|$f"
	done
}
