# Prints what guard must know of a docker host besides its packet filters: the cgroup of
# docker.service, whether the kernel can match it, the ports on which dockerd itself listens,
# and which parts of guard are loaded. It leaves nothing changed. It needs root.
# SOCKET is dockerd's socket. TRY is empty, or has the kernel tested for cgroup matching.
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

has() { command -v "$1" >/dev/null 2>&1; }
show() { systemctl show -p "$1" docker.service 2>/dev/null | sed "s/^$1=//"; }

# cgroup prints the level and path of docker.service's cgroup. The path is below /sys/fs/cgroup;
# the level counts from the root of the cgroup v2 hierarchy, base.
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

# TEST is a script that tests whether the kernel matches a socket's cgroup, in a network
# namespace of its own. It runs docker-proxy in a new cgroup and connects to it; the connection's
# first packet must match. Kernels before 5.18 load such a rule, but it never matches.
# shellcheck disable=SC2016 # the variables are the script's
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

# test_cgroup prints "yes", or why nft cannot match a cgroup here.
test_cgroup() {
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
		echo "docker-proxy, which the test needs, was not found"
		return
	}
	rmdir "$base"/docker-vpn-helper-test-* 2>/dev/null # left by a killed test
	name=docker-vpn-helper-test-$$
	mkdir "$base/$name" || {
		echo "creating a cgroup for the test failed"
		return
	}
	path=$name
	[ "$base" = /sys/fs/cgroup ] || path=unified/$name
	if said=$(unshare -n sh -c "$TEST" sh "$base/$name" "$proxy" "$path" 2>&1); then
		echo yes
	else
		printf '%s\n' "the kernel ($(uname -r)) does not match cgroups: $said" | head -n 1
	fi
	n=0
	until rmdir "$base/$name" 2>/dev/null || [ $n -gt 50 ]; do
		n=$((n + 1))
		sleep 0.02
	done
}

# own prints the sockets on which dockerd itself listens, as "tcp ADDRESS:PORT" in the hex
# notation of /proc/net.
own() {
	pid=$(show MainPID)
	[ "${pid:-0}" -gt 0 ] || pid=$(cat /var/run/docker.pid 2>/dev/null) # not read: the file has no newline
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
			if [ -n "$TRY" ]; then test_cgroup | sed 's/^/|/'; fi
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
