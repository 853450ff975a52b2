# Prints the state of a set. Appended to rules.sh, whose variables it uses.

# session prints SSH_CONNECTION of this session. sudo removes it from the environment, so it is
# looked up in the environments of the parent processes.
session() {
	pid=$$ n=0
	while [ "$pid" -gt 1 ] && [ $n -lt 40 ]; do
		n=$((n + 1))
		found=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
		[ -z "$found" ] || break
		read -r stat <"/proc/$pid/stat" || break
		# shellcheck disable=SC2086 # only numbers follow the name in parentheses
		set -- ${stat##*) }
		pid=$2
	done
	[ -z "$found" ] || echo "|$found"
}

# print_files PREFIX DIRECTORY prints each file, with "." appended: that shows whether its last
# line ends with a newline.
print_files() {
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
		print_files "file" "$DIR"
		print_units
		echo "@@boot"
		print_boot_file
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
		print_files "pending file" "$PENDING/files"
		print_files "pending unit" "$PENDING/units"
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

# print_units prints the permanent set's units as they are on disk.
print_units() {
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

# print_boot_file prints the name of the boot2docker script that has our line. Elsewhere it prints
# the name that was asked for.
print_boot_file() {
	if [ "$init" = other ]; then
		echo "|$(cat "$DIR/.boot")"
		return
	fi
	for f in bootsync.sh bootlocal.sh; do
		grep -q "# docker-vpn-helper $NAME\$" "$BOOT2DOCKER/$f" 2>/dev/null && echo "|$f"
	done
}
