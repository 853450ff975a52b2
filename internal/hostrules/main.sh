# Removes a set, and carries out MODE. Appended to rules.sh, read.sh and permanent.sh.

remove_set() {
	[ -z "$SAVED" ] || put "$(dirname "$DIR")" "$NAME.saved" "$SAVED"
	disarm
	changed=
	if [ "$init" = systemd ]; then
		if [ -f "$DIR/.units" ]; then
			while read -r u; do remove_unit "$u"; done <"$DIR/.units"
		fi
		reload_units
	elif [ "$init" = boot2docker ]; then
		remove_boot_line bootsync.sh
		remove_boot_line bootlocal.sh
	fi
	rm -rf "$BASE/$NAME.removed"
	stage "$BASE/$NAME.removed/files" "$BASE/$NAME.removed/units"
	run "$BASE/$NAME.removed/files/remove" || fail "removing the rules" "$said"
	rm -rf "$DIR" "$PENDING" "$BASE/$NAME.removed"
	rmdir "$(dirname "$DIR")" 2>/dev/null
	sync_disk
}

main() {
	trap '' HUP PIPE
	echo "@@docker-vpn-helper rules"
	find_dir
	[ "$MODE" = read ] || lock
	case $MODE in
	read) read_all ;;
	install) install_set ;;
	confirm | revert | expire)
		if [ ! -f "$PENDING/token" ] || { [ -n "$TOKEN" ] && [ "$TOKEN" != "$(cat "$PENDING/token")" ]; }; then
			echo "@@none"
		elif [ "$MODE" = confirm ]; then
			make_permanent
		else
			roll_back || fail "restoring the previous rules" "$said"
		fi
		;;
	remove) remove_set ;;
	esac
	echo "@@done"
	echo "@@end"
}
