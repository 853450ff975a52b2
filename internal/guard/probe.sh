# Asks a docker host for what guard must know beside its packet filters: the cgroup of
# docker.service and whether the kernel matches it, on what dockerd itself listens, and what
# is in effect of guard. It changes nothing that lasts; it needs root. SOCKET is dockerd's.
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

has() { command -v "$1" >/dev/null 2>&1; }
show() { systemctl show -p "$1" docker.service 2>/dev/null | sed "s/^$1=//"; }

# cgroup: sets group, its path below /sys/fs/cgroup, and level, which counts from the root
# of the v2 hierarchy.
cgroup() {
	group=$(show ControlGroup)
	[ -n "$group" ] || return 1
	base=/sys/fs/cgroup
	[ -f $base/cgroup.controllers ] || base=$base/unified
	[ -f $base/cgroup.controllers ] || return 1
	group=${group#/}
	level=$(printf '%s\n' "$group" | awk -F/ '{ print NF }')
	echo "@@cgroup"
	[ "$base" = /sys/fs/cgroup ] && echo "|$level $group" || echo "|$level unified/$group"
}

# In a network namespace of its own: docker-proxy listens in a cgroup of its own, and a
# connection's first packet must match. A kernel before 5.18 loads such a rule and matches
# nothing.
# shellcheck disable=SC2016 # it is a script
TEST='
dir=$1 proxy=$2 path=$3
ip link set lo up || exit 1
nft -f - <<E || exit 1
table inet t {
	chain c {
		type filter hook input priority mangle; policy accept;
		tcp flags & (syn|ack) == syn socket cgroupv2 level 1 "$path" counter
	}
}
E
sh -c '\''echo $$ >"$1/cgroup.procs" && exec "$2" -proto tcp -host-ip :: -host-port 7 -container-ip 127.0.0.1 -container-port 9'\'' sh "$dir" "$proxy" </dev/null >/dev/null 2>&1 3>/dev/null &
listener=$!
trap "kill $listener 2>/dev/null; wait $listener 2>/dev/null" EXIT
n=0
until grep -q ":0007 .* 0A " /proc/net/tcp6 || [ $n -gt 100 ]; do
	n=$((n + 1))
	sleep 0.02
done
if command -v bash >/dev/null; then timeout 2 bash -c ": </dev/tcp/::1/7"
elif command -v curl >/dev/null; then curl -s -m 2 "http://[::1]:7/"
elif command -v nc >/dev/null; then timeout 2 nc ::1 7 </dev/null
else timeout 2 wget -qO- "http://[::1]:7/"
fi >/dev/null 2>&1
nft list table inet t | grep -q "counter packets [1-9]"
'

matches() {
	for tool in nft unshare ip timeout; do
		has $tool || {
			echo "there is no $tool command"
			return
		}
	done
	proxy=
	for p in $(command -v docker-proxy) /usr/libexec/docker/docker-proxy /usr/lib/docker/docker-proxy /usr/libexec/docker-proxy; do
		[ -x "$p" ] && proxy=$p && break
	done
	[ -n "$proxy" ] || {
		echo "docker-proxy was not found, with which it is tested"
		return
	}
	rmdir "$base"/docker-vpn-helper-test-* 2>/dev/null # of one that was killed
	name=docker-vpn-helper-test-$$
	mkdir "$base/$name" || {
		echo "no cgroup can be made to test it"
		return
	}
	path=$name
	[ "$base" = /sys/fs/cgroup ] || path=unified/$name
	if said=$(unshare -n sh -c "$TEST" sh "$base/$name" "$proxy" "$path" 2>&1); then
		echo yes
	else
		printf '%s\n' "the kernel ($(uname -r)) does not match it: $said" | head -n 1
	fi
	n=0
	until rmdir "$base/$name" 2>/dev/null || [ $n -gt 50 ]; do
		n=$((n + 1))
		sleep 0.02
	done
}

# own: on what dockerd itself listens, as in /proc/net: "tcp ADDRESS:PORT".
own() {
	pid=$(show MainPID)
	[ "${pid:-0}" -gt 0 ] || pid=$(cat /var/run/docker.pid 2>/dev/null) # which has no end of line
	case $(cat "/proc/$pid/comm" 2>/dev/null) in dockerd | docker) ;; *) return ;; esac
	echo "@@runs"
	echo "@@own"
	inodes=$(find "/proc/$pid/fd" -type l -exec readlink {} + 2>/dev/null | sed -n 's/^socket:\[\(.*\)\]$/\1/p' | tr '\n' ' ')
	for table in tcp tcp6 udp udp6; do
		awk -v inodes=" $inodes" -v protocol="${table%6}" \
			'($4 == "0A" || $4 == "07") && index(inodes, " " $10 " ") { print "|" protocol " " $2 }' "/proc/net/$table" 2>/dev/null
	done
}

main() {
	echo "@@docker-vpn-helper guard"
	own
	if has systemctl; then
		cgroup && {
			echo "@@matches"
			if [ -n "$TRY" ]; then matches | sed 's/^/|/'; fi
		}
		echo "@@start-pre"
		show ExecStartPre | sed 's/^/|/'
		echo "@@reload"
		echo "|$(show NeedDaemonReload)"
		echo "@@path"
		echo "|$(systemctl is-active docker-vpn-helper-guard.path 2>/dev/null)"
	fi
	if has nft; then
		echo "@@table"
		nft -s list table inet dvh_guard 2>/dev/null | sed 's/^/|/'
		echo "@@loaded"
		sed 's/^/|/' /var/run/docker-vpn-helper/rules/guard.loaded 2>/dev/null
	fi
	if [ -f /var/run/docker-vpn-helper/rules/guard.window ]; then
		echo "@@window"
		sed 's/^/|/' /var/run/docker-vpn-helper/rules/guard.window
	fi
	echo "@@root"
	has timeout && echo "|$(timeout 5 docker -H "unix://$SOCKET" info --format '{{.DockerRootDir}}' 2>/dev/null)"
	if has ufw && ufw status 2>/dev/null | grep -q '^Status: active'; then echo "@@ufw"; fi
	if has firewall-cmd && [ "$(firewall-cmd --state 2>/dev/null)" = running ]; then echo "@@firewalld"; fi
	echo "@@end"
}
main </dev/null
