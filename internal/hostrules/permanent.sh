# Makes a pending set permanent, and removes units and boot lines. Appended to rules.sh.

make_permanent() {
	mkdir -p "$DIR" || fail "creating $DIR" "mkdir failed"
	for f in "$PENDING/files"/*; do
		[ "${f##*/}" = apply ] || copy "$f" "$DIR/${f##*/}"
	done
	for f in start boot; do copy "$PENDING/$f" "$DIR/.$f"; done
	copy "$PENDING/files/apply" "$DIR/apply"
	for f in "$DIR"/*; do
		[ -f "$PENDING/files/${f##*/}" ] || rm -f "$f"
	done
	case $init in
	systemd) install_units ;;
	boot2docker) install_boot_line ;;
	esac
	run "$DIR/apply" || fail "loading the rules from ${DIR#"$ROOT"}" "$said"
	start_units
	disarm
	rm -rf "$PENDING"
	sync_disk
}

# copy FROM TO: atomic.
copy() {
	tmp=${2%/*}/.${2##*/}.new
	if ! { cp "$1" "$tmp" && chmod 755 "$tmp" && mv -f "$tmp" "$2"; }; then
		fail "writing $2" "copying failed"
	fi
}

# sync_disk makes what was written survive a power failure.
sync_disk() { sync -f "$(dirname "$DIR")" 2>/dev/null || sync; }

# install_units writes the set's units, and removes those of an earlier version of the set.
install_units() {
	(cd "$PENDING/units" 2>/dev/null && find . -type f | sed 's|^\./||') >"$PENDING/unit-list"
	changed=
	if [ -f "$DIR/.units" ]; then
		while read -r u; do
			grep -qxF "$u" "$PENDING/unit-list" || remove_unit "$u"
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
	reload_units
}

reload_units() {
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

# remove_unit UNIT: stops a service by SIGKILL, because its script may be waiting for the lock
# that this script holds.
remove_unit() {
	case $1 in
	*/*) ;;
	*.service) systemctl kill -s KILL "$1" >/dev/null 2>&1 ;;
	esac
	case $1 in */*) ;; *) systemctl disable --now "$1" >/dev/null 2>&1 ;; esac
	[ -f "$UNITS/$1" ] && changed=yes
	rm -f "$UNITS/$1"
	rmdir "$(dirname "$UNITS/$1")" 2>/dev/null
	return 0
}

# without_line FILE prints FILE without the line that install_boot_line added.
without_line() { sed "/# docker-vpn-helper $NAME\$/d" "$1"; }

# install_boot_line has boot2docker run apply at boot: it adds a line to one of its boot scripts.
install_boot_line() {
	for f in bootsync.sh bootlocal.sh; do
		[ "$f" = "$(cat "$DIR/.boot")" ] || remove_boot_line "$f"
	done
	file=$(cat "$DIR/.boot")
	[ -n "$file" ] || return 0
	line="sh $DIR/apply # docker-vpn-helper $NAME"
	file=$BOOT2DOCKER/$file
	grep -qxF "$line" "$file" 2>/dev/null && return
	[ -f "$file" ] || echo '#!/bin/sh' >"$PENDING/boot-old"
	[ ! -f "$file" ] || without_line "$file" >"$PENDING/boot-old"
	# In bootsync.sh the line comes first, because the script may exit early. In bootlocal.sh
	# it comes last, so that apply sees the rules that the script adds.
	if [ "${file##*/}" = bootsync.sh ]; then
		sed -n '1{/^#!/p;}' "$PENDING/boot-old" >"$PENDING/boot-new"
		echo "$line" >>"$PENDING/boot-new"
		sed '1{/^#!/d;}' "$PENDING/boot-old" >>"$PENDING/boot-new"
	else
		{
			cat "$PENDING/boot-old"
			[ -z "$(tail -c 1 "$PENDING/boot-old")" ] || echo
			echo "$line"
		} >"$PENDING/boot-new"
	fi
	copy "$PENDING/boot-new" "$file"
}

# remove_boot_line FILE removes the line from a boot script, and the script if nothing else is left.
remove_boot_line() {
	file=$BOOT2DOCKER/$1
	grep -q "# docker-vpn-helper $NAME\$" "$file" 2>/dev/null || return 0
	without_line "$file" >"$file.new"
	if [ "$(cat "$file.new")" = '#!/bin/sh' ]; then
		rm -f "$file" "$file.new"
	else
		chmod 755 "$file.new" && mv -f "$file.new" "$file"
	fi
}
