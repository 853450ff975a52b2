# The containers that ran before dockerd was stopped: a line each,
# "started-at id paused auto-remove managed name", oldest first.

FIELDS='{{.State.StartedAt}} {{.Id}} {{.State.Paused}} REMOVE {{if .Config.Labels}}{{with index .Config.Labels "com.docker.swarm.task.id"}}managed{{else}}own{{end}}{{else}}own{{end}} {{.Name}}'

# note_running: once, before anything is stopped. Where dockerd does not answer, there are only
# those that an earlier transaction could not start again, because it left dockerd down.
note_running() {
	[ -f "$DIR/running" ] && return 0
	: >"$DIR/list"
	[ ! -f "$BASE/owed" ] || cat "$BASE/owed" >"$DIR/list"
	if docker_ 20 ps -q --no-trunc; then
		ids=$(cat "$DIR/out")
		if [ -n "$ids" ]; then
			# The client of before 1.13 knows no AutoRemove.
			# shellcheck disable=SC2086
			docker_ 30 inspect -f "${FIELDS%%REMOVE*}{{if .HostConfig.AutoRemove}}true{{else}}false{{end}}${FIELDS#*REMOVE}" $ids ||
				docker_ 30 inspect -f "${FIELDS%%REMOVE*}false${FIELDS#*REMOVE}" $ids
			# Without the Z a shorter fraction sorts before a longer one.
			sed 's/^\([^ ]*\)Z /\1 /' "$DIR/out" >>"$DIR/list"
		fi
	fi
	sort -u "$DIR/list" | keep running
}

# states: a line "id running paused" for each that still exists.
states() {
	ids=$(sed 's/^[^ ]* \([^ ]*\) .*/\1/' "$DIR/running")
	# A missing one makes inspect fail, and the others are printed all the same.
	# shellcheck disable=SC2086
	docker_ 30 inspect -f '{{.Id}} {{.State.Running}} {{.State.Paused}}' $ids
	cat "$DIR/out" >"$DIR/states"
}

# bring_back: starts again what ran and did not come back by itself, in the old
# order; a second pass is for those that need another one's network.
bring_back() {
	[ -s "$DIR/running" ] || return 0
	for round in 1 2 3; do
		states
		: >"$DIR/failed"
		moved=no left=no
		while read -r _ cid paused _ managed name <&3; do
			name=${name#/}
			# Swarm and Kubernetes replace their own.
			case $managed:$name in managed:* | *:k8s_*) continue ;; esac
			state=$(sed -n "s/^$cid //p" "$DIR/states")
			case $state in
			'') continue ;;
			true\ true) continue ;;
			true*) ;;
			*)
				if docker_ 60 start "$cid"; then
					moved=yes
					echo "$name" >>"$DIR/restarted"
				else
					left=yes
					printf '%s: %s\n' "$name" "$(sed -n 1p "$DIR/err")" >>"$DIR/failed"
					continue
				fi
				;;
			esac
			[ "$paused" = true ] && docker_ 30 pause "$cid"
		done 3<"$DIR/running"
		[ "$left:$moved" = yes:yes ] || break
	done
	states
	: >"$DIR/lost"
	while read -r _ cid _ _ managed name <&3; do
		case $managed:$name in managed:* | *:/k8s_*) continue ;; esac
		[ -n "$(sed -n "s/^$cid //p" "$DIR/states")" ] || echo "${name#/}" >>"$DIR/lost"
	done 3<"$DIR/running"
}
