#!/bin/sh
# Loads the rules that the file allowances lists, which is in this script's directory: rules of
# iptables and ip6tables with the comment dvh-allow:NAME, and rules of ebtables that let ARP for
# containers pass. Removes our rules that are no longer listed. A second run changes nothing.
#
#   apply                  load the rules
#   apply after [UNIT]     the same, after the unit's main process has exited
#   apply nothing          remove all our rules
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
state=/var/run/docker-vpn-helper/allow
tab=$(printf '\t')
rc=0

has() { command -v "$1" >/dev/null 2>&1; }

problem() {
	echo "docker-vpn-helper allow: $*" >&2
	rc=1
}

# await_unit UNIT waits until the unit's main process, $MAINPID, has exited, for 30 s at most: a
# unit of Type=simple counts as started while its script is still adding rules.
await_unit() {
	[ -n "$MAINPID" ] || return 0
	case $(systemctl show -p Type --value "$1" 2>/dev/null) in
	forking | notify | dbus) return 0 ;;
	esac
	n=0
	while kill -0 "$MAINPID" 2>/dev/null && [ "$n" -lt 1500 ]; do
		sleep 0.02 2>/dev/null || sleep 1
		n=$((n + 1))
	done
}

# await_docker waits for dockerd, which creates the chains. Without systemd nothing else does:
# boot2docker runs this script while dockerd starts.
await_docker() {
	[ -z "$DVH_LOCKED" ] && [ ! -d /run/systemd/system ] || return 0
	n=0
	until ask_docker version >/dev/null 2>&1 || [ "$n" -ge 120 ]; do
		sleep 1
		n=$((n + 1))
	done
}

# program TOOL BACKEND SUFFIX prints the name of a tool's program for a backend, such as
# iptables-nft-save. Fails if there is none.
program() {
	if has "$1-$2$3"; then
		echo "$1-$2$3"
		return
	fi
	has "$1$3" || return 1
	case $("$1" --version 2>/dev/null) in
	*nf_tables*) [ "$2" = nft ] ;;
	*) [ "$2" = legacy ] ;;
	esac && echo "$1$3"
}

# boot_id prints an ID of this boot. With the start time of PID 1 it also changes when a container
# that acts as the docker host restarts.
boot_id() {
	echo "$(cat /proc/sys/kernel/random/boot_id)-$(sed 's/.*) //' /proc/1/stat | cut -d' ' -f20)"
}

# read_rules prints the listed rules, one per line, except for allowances of an earlier boot:
# TOOL BACKEND TABLE CHAIN TARGET FIRST NAME MATCH PORT, then the rules that it must come before.
# Tabs separate the fields, which the type Rule in allowance.go describes.
read_rules() {
	awk -F '\t' -v OFS='\t' -v boot="$(boot_id)" '
		function flush() { if (line != "") print line; line = "" }
		$1 == "allow" { flush(); name = $2; port = $3 "/" $4; ended = $6 != "-" && $6 != boot }
		ended { next }
		$1 == "rule" { flush(); line = $2 OFS $3 OFS $4 OFS $5 OFS $6 OFS $7 OFS name OFS $8 OFS port }
		$1 == "before" { line = line OFS $2 }
		END { flush() }
	' allowances
}

socket() { sed -n "s/^socket$tab//p" "$dir/allowances"; }

# ask_docker runs a docker command. Fails if systemd listens on the socket but dockerd has not
# started: dockerd may be waiting for the very unit that runs this script.
ask_docker() {
	if [ -d /run/systemd/system ]; then
		case $(systemctl is-active docker.socket docker.service 2>/dev/null | tr '\n' ' ') in
		"active active "*) ;;
		"active "*) return 1 ;;
		esac
	fi
	if has timeout; then
		timeout 20 docker -H "unix://$(socket)" "$@"
	else
		docker -H "unix://$(socket)" "$@"
	fi
}

# containers describes the containers whose names it reads, in lines
#   NAME address ADDRESS SUBNET...    for each network
#   NAME port PORT/PROTOCOL           for each published port
#   NAME gone                         if there is no such container
# Fails if dockerd does not answer.
containers() {
	names=$(cat)
	[ -n "$names" ] || return 0
	# shellcheck disable=SC2086,SC2016 # container names have no blanks; the template is for docker
	said=$(ask_docker inspect --type container --format \
		'{{$c := .Name}}{{range $n, $v := .NetworkSettings.Networks}}{{$c}} {{$n}} {{$v.IPAddress}}
{{$c}} {{$n}} {{$v.GlobalIPv6Address}}
{{end}}{{$c}} port: none none
{{if .State.Running}}{{range $p, $b := .NetworkSettings.Ports}}{{range $b}}{{$c}} port: {{.HostPort}} {{$p}}
{{end}}{{end}}{{else}}{{range $p, $b := .HostConfig.PortBindings}}{{range $b}}{{$c}} port: {{.HostPort}} {{$p}}
{{end}}{{end}}{{end}}' $names 2>&1)
	[ -n "$said" ] || return 1
	printf '%s\n' "$said" | while read -r name network address rest; do
		case "$name $network" in
		"/"*" port:") echo "${name#/} port $address/${rest#*/}" ;;
		"/"*) [ -z "$address" ] || echo "${name#/} address $address $(subnets "$network")" ;;
		" " | "[] ") ;;
		*) case "$network $address $rest" in *"o such container: "*) echo "${rest##*: } gone" ;; *) exit 1 ;; esac ;;
		esac
	done
}

# subnets NETWORK prints the subnets of a docker network, if any rule needs subnets.
subnets() {
	grep -q '@SUBNET@' allowances || return 0
	ask_docker network inspect --format '{{range .IPAM.Config}}{{.Subnet}} {{end}}' "$1" 2>/dev/null
}

# fill_in KNOWN replaces the placeholders in the rules that it reads by the addresses in KNOWN, the output of
# containers. It omits rules with placeholders if the container is not running, and all rules if another
# container may have the port now: because this container is gone, or publishes other ports.
fill_in() {
	known=$1 awk -F '\t' -v OFS='\t' '
		function replace(s, old, new,  at) {
			while ((at = index(s, old)) > 0) s = substr(s, 1, at - 1) new substr(s, at + length(old))
			return s
		}
		BEGIN {
			n = split(ENVIRON["known"], lines, "\n")
			for (i = 1; i <= n; i++) {
				m = split(lines[i], w, " ")
				if (w[2] == "gone") gone[w[1]] = 1
				if (w[2] == "port") { publishes[w[1]] = 1; port[w[1], w[3]] = 1 }
			}
		}
		$7 in gone { next }
		$9 !~ /^0\// && ($7 in publishes) && !(($7, $9) in port) { next }
		index($8, "@") == 0 { print; next }
		{
			text = $8
			for (i = 1; i <= n; i++) {
				m = split(lines[i], w, " ")
				if (w[2] != "address" || w[1] != $7 || (index(w[3], ":") > 0) != ($1 == "ip6tables")) continue
				net = ""
				for (j = 4; j <= m; j++) if ((index(w[j], ":") > 0) == (index(w[3], ":") > 0)) net = w[j]
				if (index(text, "@SUBNET@") && net == "") continue
				$8 = replace(replace(text, "@CONTAINER@", w[3]), "@SUBNET@", net)
				if (!seen[$0]++) print
			}
		}'
}

# Functions that both awk programs below use to compare rules.
# shellcheck disable=SC2016 # the variables are for awk
common='
	# key returns a rule without quotes and with its words sorted: the savers print them in another
	# order than they were given.
	function key(s,  w, n, i, j, x, out) {
		gsub(/"/, "", s)
		n = split(s, w, " ")
		for (i = 2; i <= n; i++) {
			x = w[i]
			for (j = i - 1; j > 0 && w[j] > x; j--) w[j + 1] = w[j]
			w[j + 1] = x
		}
		out = ""
		for (i = 1; i <= n; i++) out = out " " w[i]
		return out
	}
	# without_modules returns a rule without its "-m MODULE" words.
	function without_modules(s,  w, n, i, out) {
		n = split(s, w, " ")
		out = ""
		for (i = 1; i <= n; i++) {
			if (w[i] == "-m") { i++; continue }
			out = out " " w[i]
		}
		return out
	}
'

# iptables_batch prints the input for iptables-restore --noflush that makes our rules the wanted ones; nothing
# if they are already. It reads the wanted rules, a line "@@", and the output of iptables-save.
iptables_batch() {
	# A chain c is "table SUBSEP name". Of the rules that it has, text[c, i] is the ith of size[c];
	# own[c, i] marks the owned[c] of them that are ours. Of the wanted rules, want[c, w] is the wth
	# of wants[c]; it belongs after the first place[c, w] rules of others.
	# shellcheck disable=SC2016
	awk "$common"'
	# ends reports whether a rule applies to every packet and ends the chain.
	function ends(s) {
		sub(/-m comment --comment ("[^"]*"|[^ ]*) ?/, "", s)
		return s ~ /^-j (DROP|REJECT|RETURN|ACCEPT)( |$)/
	}
	function drops(s) { return s ~ /(^| )-j (DROP|REJECT)( |$)/ }
	# find_place returns how many rules of others a wanted rule may come after.
	function find_place(c, w,  i, others, s) {
		others = 0
		for (i = 1; i <= size[c]; i++) {
			if (own[c, i]) continue
			s = text[c, i]
			if (ends(s) || first[w] == 1 && drops(s) || ((w, s) in before)) return others
			others++
		}
		return others
	}
	# up_to_date reports whether a chain has exactly the wanted rules of ours, each in its place.
	function up_to_date(c,  w, i, others, found) {
		if (owned[c] != wants[c]) return 0
		for (w = 1; w <= wants[c]; w++) {
			found = 0
			others = 0
			for (i = 1; i <= size[c]; i++) {
				if (!own[c, i]) { others++; continue }
				if (key(without_modules(text[c, i])) == key(without_modules(want[c, w])) && others == place[c, w]) found++
			}
			if (found != 1) return 0
		}
		return 1
	}
	# update returns commands that delete all our rules of a chain and add the wanted ones. They are
	# added from the end of the chain upward, so that the numbers of the places stay right.
	function update(c, chain,  w, i, n, others, out) {
		out = ""
		n = size[c] - owned[c]
		for (i = 1; i <= size[c]; i++) if (own[c, i]) out = out "-D " chain " " text[c, i] "\n"
		for (others = n; others >= 0; others--)
			for (w = 1; w <= wants[c]; w++) {
				if (place[c, w] != others) continue
				if (others == n) out = out "-A " chain " " want[c, w] "\n"
				else out = out "-I " chain " " (others + 1) " " want[c, w] "\n"
			}
		return out
	}
	BEGIN { FS = "\t" }
	$0 == "@@" { saved = 1; next }
	!saved && NF >= 9 {
		c = $3 SUBSEP $4
		if (!(c in wants)) { chains[++nchains] = c; tables[c] = $3; names[c] = $4 }
		wants[c]++
		w = c SUBSEP wants[c]
		want[w] = $8 " -m comment --comment \"dvh-allow:" $7 "\" -j " $5
		first[w] = $6
		for (i = 10; i <= NF; i++) before[w, $i] = 1
		next
	}
	!saved { next }
	/^\*/ { table = substr($0, 2); next }
	/^:/ { split($0, part, " "); there[table, substr(part[1], 2)] = 1; next }
	/^(\[[0-9:]*\] )?-A / {
		s = $0
		sub(/^(\[[0-9:]*\] )?-A /, "", s)
		chain = s
		sub(/ .*/, "", chain)
		sub(/^[^ ]* /, "", s)
		c = table SUBSEP chain
		mine = s ~ /--comment "?dvh-allow:/
		if (mine && !(c in wants)) { wants[c] = 0; chains[++nchains] = c; tables[c] = table; names[c] = chain }
		text[c, ++size[c]] = s
		if (mine) { own[c, size[c]] = 1; owned[c]++ }
	}
	END {
		for (k = 1; k <= nchains; k++) {
			c = chains[k]
			if (!(c in there)) {
				if (wants[c] > 0) print "there is no chain " names[c] " in table " tables[c] > "/dev/stderr"
				continue
			}
			size[c] += 0; owned[c] += 0
			for (w = 1; w <= wants[c]; w++) place[c, w] = find_place(c, c SUBSEP w)
			if (up_to_date(c)) continue
			if (!(tables[c] in batch)) order[++ntables] = tables[c]
			batch[tables[c]] = batch[tables[c]] update(c, names[c])
		}
		for (k = 1; k <= ntables; k++) printf "*%s\n%sCOMMIT\n", order[k], batch[order[k]]
	}'
}

# update_iptables TOOL BACKEND loads that tool's rules among $rules, in one transaction. It checks
# the result, and tries three times: another program may change the rules at the same time.
update_iptables() {
	save=$(program "$1" "$2" -save) || return 0
	restore=$(program "$1" "$2" -restore) || return 0
	wanted=$(printf '%s\n' "$rules" | grep "^$1$tab$2$tab")
	for try in 1 2 3 4; do
		batch=$({
			printf '%s\n@@\n' "$wanted"
			"$save"
		} | iptables_batch)
		[ -n "$batch" ] || return 0
		[ "$try" -lt 4 ] || break
		failed=$(printf '%s\n' "$batch" | "$restore" -w 5 --noflush 2>&1) || sleep 0.1 2>/dev/null
	done
	problem "$restore: ${failed:-another program keeps changing the rules}"
}

# ebtables_steps prints the steps that make our rules the wanted ones:
#   insert TABLE CHAIN TEXT, delete TABLE CHAIN TEXT    to be done in this order
#   own TABLE CHAIN TEXT                                this rule is ours afterwards
# It reads the wanted rules, a line "@@", the rules that are ours now, a line "@@", and the output
# of ebtables-save. A rule must come before all that do not accept. If another program has added
# the same rule there, it is left alone and is not ours.
ebtables_steps() {
	# shellcheck disable=SC2016
	awk "$common"'
	BEGIN { FS = "\t"; OFS = "\t" }
	$0 == "@@" { part++; next }
	part == 0 && NF >= 9 { n++; where[n] = $3 OFS $4; text[n] = $8 " -j " $5; wanted[$3 OFS $4 OFS key(text[n])] = 1; next }
	part == 1 && NF >= 3 { m++; ours[m] = $1 OFS $2; rule[m] = $3; mine[$1 OFS $2 OFS key($3)] = 1; next }
	part < 2 { next }
	/^\*/ { table = substr($0, 2); next }
	/^(\[[0-9:]*\] )?-A / {
		s = $0
		sub(/^(\[[0-9:]*\] )?-A /, "", s)
		chain = s
		sub(/ .*/, "", chain)
		sub(/^[^ ]* /, "", s)
		c = table OFS chain
		k = c OFS key(s)
		if (!(k in count)) top[k] = !passed[c]
		count[k]++
		if (s !~ /-j ACCEPT$/) passed[c] = 1
	}
	END {
		for (i = 1; i <= m; i++) {
			k = ours[i] OFS key(rule[i])
			if (!(k in wanted) && count[k] > 0) print "delete", ours[i], rule[i]
		}
		for (i = 1; i <= n; i++) {
			k = where[i] OFS key(text[i])
			if (count[k] > 0 && top[k]) {
				if (k in mine) print "own", where[i], text[i]
				continue
			}
			if (count[k] > 0 && (k in mine)) print "delete", where[i], text[i]
			print "insert", where[i], text[i]
			print "own", where[i], text[i]
		}
	}'
}

# update_ebtables BACKEND loads ebtables' rules among $rules. ebtables has no comments that could
# mark our rules; they are listed in a file, before they are added.
update_ebtables() {
	save=$(program ebtables "$1" -save) || return 0
	ebtables=$(program ebtables "$1" '')
	wanted=$(printf '%s\n' "$rules" | grep "^ebtables$tab$1$tab")
	ours=$state/ebtables-$1
	[ -n "$wanted" ] || [ -s "$ours" ] || return 0
	steps=$({
		printf '%s\n@@\n' "$wanted"
		cat "$ours" 2>/dev/null
		printf '@@\n'
		"$save"
	} | ebtables_steps)
	changed=$(printf '%s\n' "$steps" | grep -E "^(insert|delete)$tab")
	new=$(printf '%s\n' "$steps" | sed -n "s/^own$tab//p")
	if [ -n "$changed" ]; then
		[ -z "$new" ] || printf '%s\n' "$new" >>"$ours"
		printf '%s\n' "$changed" | {
			failed=
			while IFS=$tab read -r what table chain text; do
				set -f
				# shellcheck disable=SC2086 # the words of a rule
				case $what in
				insert) "$ebtables" -t "$table" -I "$chain" 1 $text ;;
				delete) "$ebtables" -t "$table" -D "$chain" $text ;;
				esac || failed=yes
				set +f
			done
			[ -z "$failed" ]
		} || {
			problem "$ebtables failed"
			return
		}
	fi
	if [ -n "$new" ]; then
		printf '%s\n' "$new" >"$ours.new" && mv -f "$ours.new" "$ours"
	else
		rm -f "$ours"
	fi
}

# programs MODE prints the tools that may have rules of ours, as TOOL BACKEND.
programs() {
	case $1 in
	nothing) printf '%s\n' 'iptables nft' 'iptables legacy' 'ip6tables nft' 'ip6tables legacy' ;;
	*)
		cat "$state/programs" 2>/dev/null
		printf '%s\n' "$rules" | awk -F '\t' '$1 ~ /^ip6?tables$/ { print $1, $2 }'
		;;
	esac | sort -u
}

main() {
	mkdir -p "$state" || exit 1
	rules=
	known=
	if [ "$1" != nothing ]; then
		rules=$(read_rules) || exit 1
		# If dockerd does not answer, its last answer is used.
		known=$(printf '%s\n' "$rules" | awk -F '\t' '!seen[$7]++ { print $7 }' | containers) &&
			printf '%s\n' "$known" >"$state/containers" || known=$(cat "$state/containers" 2>/dev/null)
		rules=$(printf '%s\n' "$rules" | fill_in "$known")
	fi
	programs "$1" >"$state/programs.new" && mv -f "$state/programs.new" "$state/programs"
	while read -r tool backend; do
		update_iptables "$tool" "$backend" </dev/null
	done <"$state/programs"
	update_ebtables nft
	update_ebtables legacy
	[ "$1" != nothing ] || rm -rf "$state"
	exit "$rc"
}

dir=$(cd "$(dirname "$0")" && pwd) || exit 1
case $1 in
after) await_unit "$2" ;;
nothing) ;;
*) await_docker ;;
esac
# Set in the Go code replaces the next line by one that also takes the lock.
cd "$(dirname "$0")" || exit 1
main "$1"
