# The file "running" lists the containers that ran before dockerd was stopped, oldest first:
# "started-at id paused auto-remove managed name".

FIELDS='{{.State.StartedAt}} {{.Id}} {{.State.Paused}} REMOVE {{if .Config.Labels}}{{with index .Config.Labels "com.docker.swarm.task.id"}}managed{{else}}own{{end}}{{else}}own{{end}} {{.Name}}'

# note_running: writes that file, before anything is stopped. If dockerd does not answer, it lists
# only the containers that an earlier transaction could not start again because dockerd was down.
note_running() {
	[ -f "$DIR/running" ] && return 0
	: >"$DIR/list"
	[ ! -f "$BASE/owed" ] || cat "$BASE/owed" >"$DIR/list"
	if docker_ 20 ps -q --no-trunc; then
		ids=$(cat "$DIR/out")
		if [ -n "$ids" ]; then
			# docker before 1.13 does not know AutoRemove.
			# shellcheck disable=SC2086
			docker_ 30 inspect -f "${FIELDS%%REMOVE*}{{if .HostConfig.AutoRemove}}true{{else}}false{{end}}${FIELDS#*REMOVE}" $ids ||
				docker_ 30 inspect -f "${FIELDS%%REMOVE*}false${FIELDS#*REMOVE}" $ids
			# Remove the Z, so that times sort correctly whatever the length of their fraction.
			sed 's/^\([^ ]*\)Z /\1 /' "$DIR/out" >>"$DIR/list"
		fi
	fi
	sort -u "$DIR/list" | keep running
}

# states: writes a line "id running paused" for each of them that still exists.
states() {
	ids=$(sed 's/^[^ ]* \([^ ]*\) .*/\1/' "$DIR/running")
	# If one is missing, inspect fails but prints the others.
	# shellcheck disable=SC2086
	docker_ 30 inspect -f '{{.Id}} {{.State.Running}} {{.State.Paused}}' $ids
	cat "$DIR/out" >"$DIR/states"
}

# bring_back: starts the containers that ran before and are not running again, in the old order. A
# second round is for those that use another container's network.
bring_back() {
	[ -s "$DIR/running" ] || return 0
	for round in 1 2 3; do
		states
		: >"$DIR/failed"
		moved=no left=no
		while read -r _ cid paused _ managed name <&3; do
			name=${name#/}
			# Swarm and Kubernetes replace their containers themselves.
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
