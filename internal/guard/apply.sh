# Makes the packet filters what the files of this directory say. What is there already of
# ours is replaced in one transaction a family; rules of others stay.
#
# ifaces: public interfaces. v4, v6: rules of DOCKER-PUB, which mangle FORWARD calls.
# input.nft, or where the kernel cannot do that v4.in, v6.in: what reaches docker-proxy.
LC_ALL=C
export LC_ALL
rc=0
loaded=/var/run/docker-vpn-helper/rules/guard.loaded
running=/var/run/docker-vpn-helper/rules/guard.watch

has() { command -v "$1" >/dev/null 2>&1; }

# dockerd_runs: while it starts, its socket may already take connections that it will
# answer only after this script has ended.
dockerd_runs() {
	read -r pid 2>/dev/null </var/run/docker.pid || return 1
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]
}

# published: writes down the ports that docker has published: "tcp 8080".
published() {
	dockerd_runs || return 0
	limit=
	has timeout && limit="timeout 10"
	ports=$($limit docker -H "unix://$(cat socket)" ps --format '{{.Ports}}' </dev/null 2>/dev/null) || return 0
	printf '%s\n' "$ports" | awk '{
		n = split($0, all, ", ")
		for (i = 1; i <= n; i++) {
			if (all[i] !~ /->/) continue
			host = all[i]; sub(/->.*/, "", host); sub(/.*:/, "", host)
			protocol = all[i]; sub(/.*\//, "", protocol)
			m = split(host, range, "-")
			for (p = range[1] + 0; p <= range[m] + 0; p++) print protocol, p
		}
	}' | sort -u >.published.new && mv -f .published.new .published
}

# jumps HOOK CHAIN: the lines that make HOOK call CHAIN first of all, for the interfaces on
# stdin; none if it does. $rules are those of the table.
jumps() {
	want=$(sed "s/.*/-A $1 -i & -j $2/")
	have=$(printf '%s\n' "$rules" | grep "^-A $1 ")
	ours=$(printf '%s\n' "$have" | grep -e " -j $2\$")
	n=$(printf '%s\n' "$want" | grep -c .)
	[ "$want" = "$ours" ] && [ "$want" = "$(printf '%s\n' "$have" | head -n "$n")" ] && return
	printf '%s\n' "$ours" | sed -n 's/^-A/-D/p'
	printf '%s\n' "$want" | grep . | awk -v hook="$1" '{ sub(/^-A [A-Z]+/, "-I " hook " " NR); print }'
}

# batch FAMILY: what iptables-restore gets.
batch() {
	echo '*mangle'
	echo ':DOCKER-PUB - [0:0]'
	cat "$1"
	jumps FORWARD DOCKER-PUB <ifaces
	if [ -f "$1.in" ]; then
		echo ':DOCKER-PUB-IN - [0:0]'
		cat "$1.in"
		[ ! -f .published ] || sed 's/\(.*\) \(.*\)/-A DOCKER-PUB-IN -p \1 -m \1 --dport \2 -j DROP/' .published
		jumps INPUT DOCKER-PUB-IN <ifaces
	elif printf '%s\n' "$rules" | grep -qx -e '-N DOCKER-PUB-IN'; then
		echo ':DOCKER-PUB-IN - [0:0]'
		jumps INPUT DOCKER-PUB-IN </dev/null
		echo '-X DOCKER-PUB-IN'
	fi
	echo COMMIT
}

[ ! -f v4.in ] || published
for f in iptables ip6tables; do
	case $f in iptables) family=v4 ;; *) family=v6 ;; esac
	[ $family = v4 ] || [ -e /proc/net/if_inet6 ] || continue # a kernel without IPv6
	if ! rules=$($f -w 5 -t mangle -S); then
		rc=1
		continue
	fi
	batch $family | $f-restore -w 5 --noflush || rc=1
done

if [ -f input.nft ]; then
	# Without its cgroup docker.service does not run; it runs this script when it starts.
	if [ -d "/sys/fs/cgroup/$(cat cgroup)" ]; then
		nft -f input.nft && nft -s list table inet dvh_guard >"$loaded" || rc=1
	fi
elif has nft; then
	nft delete table inet dvh_guard 2>/dev/null
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
