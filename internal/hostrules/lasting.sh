# Makes a set last that is pending, and takes apart what lasts. It follows rules.sh.

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
	case $init in
	systemd) last_units ;;
	boot2docker) last_boot ;;
	esac
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

# drop_unit UNIT: what it runs waits for the lock, which is ours now: it ends at once.
drop_unit() {
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
