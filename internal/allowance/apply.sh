#!/bin/sh
# Opens ways to containers, as the file allowances beside it lists them: rules of iptables and
# ip6tables with a comment dvh-allow:NAME, and pairs of ebtables for the hardware addresses of
# containers. It takes away what is no longer listed. A second run changes nothing.
#
#   apply                  as the file lists them
#   apply after [UNIT]     the same, once the unit's main process has ended
#   apply nothing          as if the file were empty
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

# A unit of Type=simple is started while its script still writes rules. It gets 30 s.
await_main() {
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

# boot2docker runs this while dockerd starts, and dockerd makes the chains.
await_docker() {
	[ -z "$DVH_LOCKED" ] && [ ! -d /run/systemd/system ] || return 0
	n=0
	until ask version >/dev/null 2>&1 || [ "$n" -ge 120 ]; do
		sleep 1
		n=$((n + 1))
	done
}

# program TOOL BACKEND PART: the name of a tool's program, such as iptables-nft-save.
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

# boot names this boot of the computer, or of a container that is one.
boot() {
	echo "$(cat /proc/sys/kernel/random/boot_id)-$(sed 's/.*) //' /proc/1/stat | cut -d' ' -f20)"
}

# listed prints the file without what has ended: one rule a line.
# TOOL BACKEND TABLE CHAIN TARGET FIRST NAME MATCH PORT, then all texts that it comes before.
listed() {
	awk -F '\t' -v OFS='\t' -v boot="$(boot)" '
		function flush() { if (line != "") print line; line = "" }
		$1 == "allow" { flush(); name = $2; port = $3 "/" $4; ended = $6 != "-" && $6 != boot }
		ended { next }
		$1 == "rule" { flush(); line = $2 OFS $3 OFS $4 OFS $5 OFS $6 OFS $7 OFS name OFS $8 OFS port }
		$1 == "before" { line = line OFS $2 }
		END { flush() }
	' allowances
}

socket() { sed -n "s/^socket$tab//p" "$dir/allowances"; }

# ask asks dockerd. A socket of systemd whose daemon has not started is not asked: dockerd may
# be waiting for the very unit that this runs in.
ask() {
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

# containers prints lines about those that are named in its input: NAME address ADDRESS
# SUBNETS for each network, NAME port PORT/PROTOCOL for each published port, NAME gone.
# It fails where dockerd does not answer: what it listed last is used then.
containers() {
	names=$(cat)
	[ -n "$names" ] || return 0
	# shellcheck disable=SC2086,SC2016 # names of containers have no blanks; the text is docker's
	said=$(ask inspect --type container --format \
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

# subnets prints those of a network, where a rule needs them.
subnets() {
	grep -q '@SUBNET@' allowances || return 0
	ask network inspect --format '{{range .IPAM.Config}}{{.Subnet}} {{end}}' "$1" 2>/dev/null
}

# filled replaces the placeholders in the rules of its input by the addresses in $1. A rule
# with one is left out where the container does not run. So is every rule where another
# container may have the port by now: it is gone, or publishes other ports.
filled() {
	known=$1 awk -F '\t' -v OFS='\t' '
		function put(s, place, by,  at) {
			while ((at = index(s, place)) > 0) s = substr(s, 1, at - 1) by substr(s, at + length(place))
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
				$8 = put(put(text, "@CONTAINER@", w[3]), "@SUBNET@", net)
				if (!seen[$0]++) print
			}
		}'
}

# Functions of awk that both programs below use.
# shellcheck disable=SC2016 # awk's own variables
common='
	# key is a rule with its words in one order, without names of modules.
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
	function bare(s,  w, n, i, out) {
		n = split(s, w, " ")
		out = ""
		for (i = 1; i <= n; i++) {
			if (w[i] == "-m") { i++; continue }
			out = out " " w[i]
		}
		return out
	}
'

# changes prints what iptables-restore --noflush has to do so that the rules are there, and
# nothing where they are. Its input are the rules of one program, a line "@@", and what the
# saver prints.
changes() {
	# shellcheck disable=SC2016
	awk "$common"'
	function ends(s) {
		sub(/-m comment --comment ("[^"]*"|[^ ]*) ?/, "", s)
		return s ~ /^-j (DROP|REJECT|RETURN|ACCEPT)( |$)/
	}
	function drops(s) { return s ~ /(^| )-j (DROP|REJECT)( |$)/ }
	# limit is how many rules of others a wanted one comes behind.
	function limit(c, w,  i, others, s) {
		others = 0
		for (i = 1; i <= size[c]; i++) {
			if (own[c, i]) continue
			s = text[c, i]
			if (ends(s) || first[w] == 1 && drops(s) || ((w, s) in before)) return others
			others++
		}
		return others
	}
	function right(c,  w, i, others, found) {
		if (owned[c] != wants[c]) return 0
		for (w = 1; w <= wants[c]; w++) {
			found = 0
			others = 0
			for (i = 1; i <= size[c]; i++) {
				if (!own[c, i]) { others++; continue }
				if (key(bare(text[c, i])) == key(bare(want[c, w])) && others == most[c, w]) found++
			}
			if (found != 1) return 0
		}
		return 1
	}
	function change(c, chain,  w, i, n, others, out) {
		out = ""
		n = size[c] - owned[c]
		for (i = 1; i <= size[c]; i++) if (own[c, i]) out = out "-D " chain " " text[c, i] "\n"
		for (others = n; others >= 0; others--)
			for (w = 1; w <= wants[c]; w++) {
				if (most[c, w] != others) continue
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
			for (w = 1; w <= wants[c]; w++) most[c, w] = limit(c, c SUBSEP w)
			if (right(c)) continue
			if (!(tables[c] in batch)) order[++ntables] = tables[c]
			batch[tables[c]] = batch[tables[c]] change(c, names[c])
		}
		for (k = 1; k <= ntables; k++) printf "*%s\n%sCOMMIT\n", order[k], batch[order[k]]
	}'
}

# filter TOOL BACKEND: makes that program's rules as $rules has them, in one transaction.
# Where another program changes them at that moment, it tries again.
filter() {
	save=$(program "$1" "$2" -save) || return 0
	restore=$(program "$1" "$2" -restore) || return 0
	wanted=$(printf '%s\n' "$rules" | grep "^$1$tab$2$tab")
	for try in 1 2 3 4; do
		batch=$({
			printf '%s\n@@\n' "$wanted"
			"$save"
		} | changes)
		[ -n "$batch" ] || return 0
		[ "$try" -lt 4 ] || break
		failed=$(printf '%s\n' "$batch" | "$restore" -w 5 --noflush 2>&1) || sleep 0.1 2>/dev/null
	done
	problem "$restore: ${failed:-the rules do not stay}"
}

# frames prints "insert TABLE CHAIN TEXT", "delete TABLE CHAIN TEXT" and "own TABLE CHAIN TEXT".
# Its input are the rules of ebtables, a line "@@", those that are ours, a line "@@", and what
# the saver prints. An equal rule of another program is left alone.
frames() {
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

# neighbors BACKEND: makes the rules of ebtables as $rules has them. What is ours is written
# down first: ebtables has no comments.
neighbors() {
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
	} | frames)
	changed=$(printf '%s\n' "$steps" | grep -E "^(insert|delete)$tab")
	new=$(printf '%s\n' "$steps" | sed -n "s/^own$tab//p")
	if [ -n "$changed" ]; then
		[ -z "$new" ] || printf '%s\n' "$new" >>"$ours"
		printf '%s\n' "$changed" | {
			failed=
			while IFS=$tab read -r what table chain text; do
				set -f
				# shellcheck disable=SC2086 # words of a rule
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

# programs are those that may have rules of ours: TOOL BACKEND.
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
		rules=$(listed) || exit 1
		known=$(printf '%s\n' "$rules" | awk -F '\t' '!seen[$7]++ { print $7 }' | containers) &&
			printf '%s\n' "$known" >"$state/containers" || known=$(cat "$state/containers" 2>/dev/null)
		rules=$(printf '%s\n' "$rules" | filled "$known")
	fi
	programs "$1" >"$state/programs.new" && mv -f "$state/programs.new" "$state/programs"
	while read -r tool backend; do
		filter "$tool" "$backend" </dev/null
	done <"$state/programs"
	neighbors nft
	neighbors legacy
	[ "$1" != nothing ] || rm -rf "$state"
	exit "$rc"
}

dir=$(cd "$(dirname "$0")" && pwd) || exit 1
case $1 in
after) await_main "$2" ;;
nothing) ;;
*) await_docker ;;
esac
cd "$(dirname "$0")" || exit 1
main "$1"
