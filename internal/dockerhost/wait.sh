# The part that waits: starts the part that works, unless it is running, waits for its end and
# prints its result. Running it again resumes an earlier one, whatever its state.

answer() {
	echo "@@docker-vpn-helper result"
	echo "@@outcome"
	echo "|$1"
	echo "@@reason"
	printf '%s\n' "$2" | sed 's/^/|/'
	echo "@@end"
	exit 0
}

launch() {
	if [ ! -f "$DIR/work" ]; then
		printf '%s' "$WORK" | keep work || return 1
	fi
	# Detached, so that it survives the end of the connection. Signals are not ignored, because
	# dockerd and all containers would inherit that.
	if command -v setsid >/dev/null 2>&1; then
		setsid sh "$DIR/work" </dev/null >>"$DIR/log" 2>&1 &
	else
		sh "$DIR/work" </dev/null >>"$DIR/log" 2>&1 &
	fi
}

main() {
	err=$({ mkdir -p "$BASE" && chmod 0700 "$BASE" && mkdir -p "$DIR" && chmod 0700 "$DIR"; } 2>&1) ||
		answer unchanged "$err"
	tries=0
	while [ ! -f "$DIR/result" ]; do
		if holder; then
			pause
			continue
		fi
		[ -f "$DIR/result" ] && break
		tries=$((tries + 1))
		[ "$tries" -le 3 ] || answer interrupted "it was killed three times"
		err=$(launch 2>&1) || answer unchanged "$err"
		# It takes the lock within moments, or it has already finished.
		clock
		until=$((now + 5))
		while ! holder && [ ! -f "$DIR/result" ] && [ "$now" -lt "$until" ]; do
			pause
			clock
		done
	done
	cat "$DIR/result"
}
main </dev/null
