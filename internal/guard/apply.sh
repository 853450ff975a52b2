# Makes the packet filters what the files of this directory say. What is there already of
# ours is replaced in one transaction a family; rules of others stay.
#
# ifaces: public interfaces. v4, v6: rules of DOCKER-PUB, which mangle FORWARD calls.
# table.nft: the same once more, because firewalld flushes iptables' tables when it is
# reloaded, and what reaches docker-proxy; where the kernel cannot do that, v4.in and v6.in.
#
# The argument, if there is one, is the file of docker's that has changed: how long a port that
# was published then was open is written down.
LC_ALL=C
export LC_ALL
rc=0
loaded=/var/run/docker-vpn-helper/rules/guard.loaded
running=/var/run/docker-vpn-helper/rules/guard.watch

has() { command -v "$1" >/dev/null 2>&1; }

# dockerd_runs: while it starts, its socket may already take connections that it will
# answer only after this script has ended.
dockerd_runs() {
	pid=$(cat /var/run/docker.pid 2>/dev/null) # which has no end of line
	[ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]
}

# listed prints the ports of docker's list, as "tcp 8080". A container is on it once it runs.
listed() {
	limit=
	has timeout && limit="timeout 10"
	ports=$($limit docker -H "unix://$(cat socket)" ps --format '{{.Ports}}' </dev/null 2>/dev/null) || return 1
	printf '%s\n' "$ports" | awk '{
		n = split($0, all, ", ")
		for (i = 1; i <= n; i++) {
			if (all[i] !~ /->/) continue
			host = all[i]; sub(/->.*/, "", host); sub(/.*:/, "", host)
			protocol = all[i]; sub(/.*\//, "", protocol)
			m = split(host, range, "-")
			for (p = range[1] + 0; p <= range[m] + 0; p++) print protocol, p
		}
	}'
}

# proxied prints the ports of docker-proxy, which opens them before docker lists them. Only
# children of dockerd count: in a container anything can have that name.
proxied() {
	# shellcheck disable=SC2046 # paths without blanks
	cat /dev/null $(cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v dockerd="$pid" '$2 == "(docker-proxy)" && $4 == dockerd { print "/proc/" $1 "/cmdline" }') 2>/dev/null |
		tr '\0' '\n' | awk '
			$0 == "-proto" { getline protocol }
			$0 == "-host-port" { getline port; print protocol, port }'
}

# published writes down the ports that docker has published. Without an answer from dockerd
# none is taken off the list.
published() {
	dockerd_runs || return 0
	{
		listed || cat .published 2>/dev/null
		proxied
	} | sort -u >.published.new
	[ -n "$(awk 'NR == FNR { old[$0] = 1; next } !old[$0]' .published .published.new 2>/dev/null)" ] && grown=yes
	mv -f .published.new .published
}

# What iptables-restore gets, made of the rules that are there, on stdin. The calls of our
# chains stand first, in the order of ifaces; where they do so already, they are left.
# shellcheck disable=SC2016 # it is for awk
BATCH='
function file(name, line) {
	while ((getline line < name) > 0) print line
	close(name)
}
# jumps: makes hook call chain for the interfaces, if list is not empty, else for none.
function jumps(hook, chain, want, i, right) {
	right = ours[hook] == want
	for (i = 1; right && want && i <= interfaces; i++) right = rule[hook, i] == "-A " hook " -i " iface[i] " -j " chain
	if (right) return
	for (i = 1; i <= count[hook]; i++) if (rule[hook, i] ~ (" -j " chain "$")) print "-D" substr(rule[hook, i], 3)
	for (i = 1; want && i <= interfaces; i++) print "-I " hook " " i " -i " iface[i] " -j " chain
}
BEGIN { while ((getline line < "ifaces") > 0) iface[++interfaces] = line }
$1 == "-N" { there[$2] = 1 }
$1 == "-A" && ($2 == "FORWARD" || $2 == "INPUT") {
	rule[$2, ++count[$2]] = $0
	if ($NF == ($2 == "FORWARD" ? "DOCKER-PUB" : "DOCKER-PUB-IN")) ours[$2]++
}
$0 == "read" { complete = 1 }
END {
	if (!complete) { print "the rules that are there cannot be read"; exit }
	print "*mangle"
	print ":DOCKER-PUB - [0:0]"
	file(family)
	jumps("FORWARD", "DOCKER-PUB", interfaces)
	if (list) {
		print ":DOCKER-PUB-IN - [0:0]"
		file(family ".in")
		while ((getline line < ".published") > 0) {
			split(line, port, " ")
			print "-A DOCKER-PUB-IN -p " port[1] " -m " port[1] " --dport " port[2] " -j DROP"
		}
		jumps("INPUT", "DOCKER-PUB-IN", interfaces)
	} else if (there["DOCKER-PUB-IN"]) {
		print ":DOCKER-PUB-IN - [0:0]"
		jumps("INPUT", "DOCKER-PUB-IN", 0)
		print "-X DOCKER-PUB-IN"
	}
	print "COMMIT"
}
'

list='' grown=''
[ ! -f v4.in ] || list=yes
[ -z "$list" ] || published
for f in iptables ip6tables; do
	case $f in iptables) family=v4 ;; *) family=v6 ;; esac
	[ $family = v4 ] || [ -e /proc/net/if_inet6 ] || continue # a kernel without IPv6
	# Without the rules that are there nothing is loaded.
	batch=$({ $f -w 5 -t mangle -S && echo read; } | awk -v family=$family -v list=$list "$BATCH")
	# Before 1.6.2 it does not wait for others.
	printf '%s\n' "$batch" | $f-restore -w 5 --noflush || printf '%s\n' "$batch" | $f-restore --noflush || rc=1
done

if [ -f table.nft ]; then
	read -r group <cgroup
	# Without its cgroup docker.service does not run; it runs this script when it starts.
	if [ -d "/sys/fs/cgroup/$group" ]; then
		if nft -f table.nft; then nft -s list table inet dvh_guard >"$loaded"; else rc=1; fi
	fi
elif has nft; then
	nft delete table inet dvh_guard 2>/dev/null
fi

if [ -n "$grown" ] && [ -n "$1" ]; then
	at=$(date -r "$1" +%s%N 2>/dev/null)
	now=$(date +%s%N)
	case $at$now in
	*[!0-9]*) ;; # an old date
	*) echo $(((now - at) / 1000000)) >/var/run/docker-vpn-helper/rules/guard.window ;;
	esac
fi

# watch: follows dockerd's events where systemd does not follow its files.
if [ -f watch ] && ! [ -d /run/systemd/system ]; then
	read -r pid 2>/dev/null <"$running" || pid=
	if [ -z "$pid" ] || ! tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$PWD/watch"; then
		[ -z "$pid" ] || ! tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF guard || kill -- "-$pid" 2>/dev/null
		setsid sh "$PWD/watch" </dev/null >/dev/null 2>&1 9>&- &
		echo $! >"$running"
	fi
fi
exit $rc
