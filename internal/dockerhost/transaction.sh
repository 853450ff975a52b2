# The part that works: the steps of one transaction. It can be resumed after SIGKILL at any point:
# the file "phase" has the last phase that was reached, and every step can be repeated. After a
# power loss only the certificate file is left; it is the old one or the new one, and dockerd works
# with either. The phases:
#   (none) -> going -> started -> up       swapped, or restarted
#                              -> undoing -> undone -> back    rolled back
#                              -> down     failed (after undone, too)

frame() {
	[ -s "$DIR/$1" ] || return 0
	echo "@@$1"
	sed 's/^/|/' "$DIR/$1"
	echo
}

# over OUTCOME REASON: writes the result and ends the transaction.
over() {
	[ "$MODE" != swap ] || which_file
	[ "$MODE" != swap ] || tidy
	# Without dockerd no container can be started. The next transaction that starts dockerd will do
	# that.
	if [ "$1" = failed-down ] && [ -s "$DIR/running" ]; then
		cat "$DIR/running" >"$BASE/.owed" && mv -f "$BASE/.owed" "$BASE/owed"
	else
		rm -f "$BASE/owed"
	fi
	{
		echo "@@docker-vpn-helper result"
		echo "@@outcome"
		echo "|$1"
		echo "@@reason"
		printf '%s\n' "$2" | sed 's/^/|/'
		echo "@@file"
		echo "|${file:-}"
		echo "@@log"
		log_line | sed 's/^/|/'
		frame restarted
		frame lost
		frame failed
		echo "@@end"
	} | keep result
	exit 0
}

begin() {
	before=
	# Without the docker command we could not find out whether dockerd is up.
	command -v docker >/dev/null 2>&1 || over unchanged "there is no docker command to ask dockerd with"
	if [ "$MODE" = swap ]; then
		which_file
		case $file in
		new) up && over already '' ;;
		other)
			[ -e "$target" ] && over moved "$CERT is neither the old certificate nor the new one"
			over moved "$CERT is not there"
			;;
		esac
	fi
	if [ "$MODE" = start ]; then up && over already ''; fi
	enter going
}

go() {
	note_running
	daemon
	# The dockerd that runs now must be gone afterwards; one that a first attempt started need not.
	[ -f "$DIR/before" ] || echo "$daemon" | keep before
	if [ "$MODE" = swap ]; then
		which_file
		if [ "$file" = old ] && ! swap_in 2>"$DIR/err"; then
			why=$(sed -n 1p "$DIR/err")
			before=
			up && over unchanged "$why"
			# Another program has stopped dockerd: start it again, with the old certificate.
			printf '%s\n' "$why" | keep why
			enter undoing
			return
		fi
	fi
	read -r before <"$DIR/before"
	if [ "$MODE" = start ]; then start_daemon; else restart_daemon; fi
	enter started
}

main() {
	cd / || exit 1
	take_lock || exit 0
	[ ! -f "$DIR/result" ] || exit 0
	HEX=$(printf %04X "$PORT")
	logged=$(log_size) file=
	[ "$MODE" != swap ] || place
	phase
	[ -n "$phase" ] || begin
	[ "$phase" != going ] || go
	before=
	[ ! -f "$DIR/before" ] || read -r before <"$DIR/before"
	if [ "$phase" = started ]; then
		if wait_up; then
			enter up
		elif [ "$MODE" = swap ]; then
			log_line | keep why
			enter undoing
		else
			enter down
		fi
	fi
	if [ "$phase" = undoing ]; then
		swap_back 2>"$DIR/err" || keep unrestored <"$DIR/err"
		restart_daemon
		enter undone
	fi
	if [ "$phase" = undone ]; then
		if wait_up; then enter back; else enter down; fi
	fi
	why=
	[ ! -f "$DIR/why" ] || why=$(cat "$DIR/why")
	[ ! -f "$DIR/unrestored" ] || why="the old certificate could not be put back: $(sed -n 1p "$DIR/unrestored")"
	case $phase in
	up)
		bring_back
		[ "$MODE" = swap ] || over restarted ''
		which_file
		[ "$file" = new ] || over moved "another program has changed $CERT in the meantime"
		over swapped ''
		;;
	back)
		bring_back
		over rolled-back "${why:-dockerd did not start with the new certificate}"
		;;
	down)
		[ -n "$why" ] || why=$(log_line)
		over failed-down "$why"
		;;
	esac
}
main
