# Removes a set, and does what MODE asks for. It follows rules.sh, read.sh and lasting.sh.

remove_set() {
	[ -z "$SAVED" ] || put "$(dirname "$DIR")" "$NAME.saved" "$SAVED"
	disarm
	changed=
	if [ "$init" = systemd ]; then
		if [ -f "$DIR/.units" ]; then
			while read -r u; do drop_unit "$u"; done <"$DIR/.units"
		fi
		reload
	elif [ "$init" = boot2docker ]; then
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
