# apply [changed]: loads the rules in this directory. It replaces our earlier rules in one
# transaction per address family, and leaves all other rules alone.
#
#   ifaces        the public interfaces, one per line
#   v4, v6        the rules of chain DOCKER-PUB, which FORWARD in table mangle calls
#   table.nft     the same rules for nft, because firewalld flushes iptables' tables when it
#                 reloads; and rules for docker-proxy's sockets, which match docker's cgroup
#   v4.in, v6.in  instead of table.nft where the kernel cannot match a cgroup: the first rules
#                 of chain DOCKER-PUB-IN, which INPUT calls; the published ports are added here
#
# With "changed", dockerd's file that "changes" names has just changed. If a port was published
# since the last run, the time from that change to the end of this run is saved, in ms: for that
# long the port was open.
LC_ALL=C
export LC_ALL
rc=0
loaded=/var/run/docker-vpn-helper/rules/guard.loaded
watch_pid=/var/run/docker-vpn-helper/rules/guard.watch

has() { command -v "$1" >/dev/null 2>&1; }

# dockerd_runs sets pid. dockerd must not be asked before it runs: while it starts, its socket
# accepts connections, but dockerd answers them only after this script has exited.
dockerd_runs() {
	pid=$(cat /var/run/docker.pid 2>/dev/null) # "read" would fail: the file has no newline
	[ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]
}

# ports_from_docker prints the ports that "docker ps" lists, such as "tcp 8080". docker ps
# lists a container once it runs.
ports_from_docker() {
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

# ports_from_proxies prints the ports of docker-proxy processes, which open a port before docker
# ps lists it. Only children of dockerd count: a process in a container can have that name, too.
ports_from_proxies() {
	# shellcheck disable=SC2046 # the paths have no blanks
	cat /dev/null $(cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v dockerd="$pid" '$2 == "(docker-proxy)" && $4 == dockerd { print "/proc/" $1 "/cmdline" }') 2>/dev/null |
		tr '\0' '\n' | awk '
			$0 == "-proto" { getline protocol }
			$0 == "-host-port" { getline port; print protocol, port }'
}

# update_published saves the published ports in .published. It sets grown if there are new ones.
# If dockerd does not answer, no port is removed.
update_published() {
	dockerd_runs || return 0
	{
		ports_from_docker || cat .published 2>/dev/null
		ports_from_proxies
	} | sort -u >.published.new
	[ -n "$(awk 'NR == FNR { old[$0] = 1; next } !old[$0]' .published .published.new 2>/dev/null)" ] && grown=yes
	mv -f .published.new .published
}

# BATCH is an awk program that turns the rules of table mangle ("iptables -S", then a line
# "read") into the input of iptables-restore. The calls of our chains come first in their hook,
# in the order of ifaces. If they are there already, they are left alone.
# shellcheck disable=SC2016 # the variables are for awk
BATCH='
function print_file(name, line) {
	while ((getline line < name) > 0) print line
	close(name)
}
# update_calls makes hook call chain for all interfaces (want is their number) or for none (0).
function update_calls(hook, chain, want, i, right) {
	right = calls[hook] == want
	for (i = 1; right && want && i <= interfaces; i++) right = rule[hook, i] == "-A " hook " -i " iface[i] " -j " chain
	if (right) return
	for (i = 1; i <= count[hook]; i++) if (rule[hook, i] ~ (" -j " chain "$")) print "-D" substr(rule[hook, i], 3)
	for (i = 1; want && i <= interfaces; i++) print "-I " hook " " i " -i " iface[i] " -j " chain
}
BEGIN { while ((getline line < "ifaces") > 0) iface[++interfaces] = line }
$1 == "-N" { exists[$2] = 1 }
$1 == "-A" && ($2 == "FORWARD" || $2 == "INPUT") {
	rule[$2, ++count[$2]] = $0
	if ($NF == ($2 == "FORWARD" ? "DOCKER-PUB" : "DOCKER-PUB-IN")) calls[$2]++
}
$0 == "read" { complete = 1 }
END {
	if (!complete) { print "the current rules cannot be read"; exit } # iptables-restore refuses this
	print "*mangle"
	print ":DOCKER-PUB - [0:0]"
	print_file(family)
	update_calls("FORWARD", "DOCKER-PUB", interfaces)
	if (by_ports) {
		print ":DOCKER-PUB-IN - [0:0]"
		print_file(family ".in")
		while ((getline line < ".published") > 0) {
			split(line, port, " ")
			print "-A DOCKER-PUB-IN -p " port[1] " -m " port[1] " --dport " port[2] " -j DROP"
		}
		update_calls("INPUT", "DOCKER-PUB-IN", interfaces)
	} else if (exists["DOCKER-PUB-IN"]) {
		print ":DOCKER-PUB-IN - [0:0]"
		update_calls("INPUT", "DOCKER-PUB-IN", 0)
		print "-X DOCKER-PUB-IN"
	}
	print "COMMIT"
}
'

by_ports='' grown=''
[ ! -f v4.in ] || by_ports=yes
[ -z "$by_ports" ] || update_published
for f in iptables ip6tables; do
	case $f in iptables) family=v4 ;; *) family=v6 ;; esac
	[ $family = v4 ] || [ -e /proc/net/if_inet6 ] || continue # a kernel without IPv6
	batch=$({ $f -w 5 -t mangle -S && echo read; } | awk -v family=$family -v by_ports=$by_ports "$BATCH")
	# The second call is for iptables before 1.6.2, which has no -w.
	printf '%s\n' "$batch" | $f-restore -w 5 --noflush || printf '%s\n' "$batch" | $f-restore --noflush || rc=1
done

if [ -f table.nft ]; then
	read -r group <cgroup
	# Without the cgroup docker.service is not running. It runs this script when it starts.
	if [ -d "/sys/fs/cgroup/$group" ]; then
		if nft -f table.nft; then nft -s list table inet dvh_guard >"$loaded"; else rc=1; fi
	fi
elif has nft; then
	nft delete table inet dvh_guard 2>/dev/null
fi

if [ -n "$grown" ] && [ "$1" = changed ]; then
	read -r file <changes
	at=$(date -r "$file" +%s%N 2>/dev/null)
	now=$(date +%s%N)
	case $at$now in
	*[!0-9]*) ;; # this date cannot print nanoseconds
	*) echo $(((now - at) / 1000000)) >/var/run/docker-vpn-helper/rules/guard.window ;;
	esac
fi

# Without systemd, which would run this script when dockerd's file changes, watch follows
# dockerd's events. It is started unless it runs; one that another directory started is stopped.
if [ -f watch ] && ! [ -d /run/systemd/system ]; then
	read -r pid 2>/dev/null <"$watch_pid" || pid=
	if [ -z "$pid" ] || ! tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$PWD/watch"; then
		[ -z "$pid" ] || ! tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF guard || kill -- "-$pid" 2>/dev/null
		setsid sh "$PWD/watch" </dev/null >/dev/null 2>&1 9>&- &
		echo $! >"$watch_pid"
	fi
fi
exit $rc
