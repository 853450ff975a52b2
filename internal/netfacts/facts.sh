# Prints everything on a docker host that affects packets to a container: packet filters,
# networks, containers, and the files that may have added a rule. It changes nothing, and needs
# root. SOCKET is the path of dockerd's socket. parse in facts.go reads the output.
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
newline='
'

has() { command -v "$1" >/dev/null 2>&1; }

# frame NAME COMMAND... prints the command's output as the frame NAME.
frame() {
	name=$1
	shift
	echo "@@$name"
	"$@" 2>/dev/null | sed 's/^/|/'
}

# saved TOOL BACKEND COMMAND... prints the command's output as the rules of a tool, and a frame
# "failed" if the command fails.
saved() {
	failed="@@failed $1 $2"
	echo "@@rules $1 $2"
	shift 2
	{ "$@" 2>/dev/null || echo "$failed"; } | sed '/^@@failed/!s/^/|/'
}

rules() {
	for tool in iptables ip6tables ebtables; do
		found=
		for backend in nft legacy; do
			has $tool-$backend-save || continue
			found=yes
			saved $tool $backend $tool-$backend-save
		done
		[ -z "$found" ] && has $tool-save || continue
		case $($tool --version 2>/dev/null) in
		*nf_tables*) saved $tool nft $tool-save ;;
		*) saved $tool legacy $tool-save ;;
		esac
	done
	# arptables-nft is not needed: nft lists its rules.
	has arptables-legacy && saved arptables legacy arptables-legacy -n -L
	frame legacy-tables grep -H . /proc/net/ip_tables_names /proc/net/ip6_tables_names /proc/net/arp_tables_names
	if has nft; then
		frame nft nft -s -j list ruleset
		frame nft-chains nft list chains
		frame nft-tables nft list tables
	fi
	has ipset && frame ipset ipset save
}

network() {
	frame links ip -o link
	frame addresses ip -o addr
	frame routes4 ip -4 route show table all
	frame routes6 ip -6 route show table all
	frame rules4 ip -4 rule
	frame rules6 ip -6 rule
	frame neighbors4 ip -4 neigh
	frame neighbors6 ip -6 neigh
	frame sysctl grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding \
		/proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables
	frame announce grep -H '[12]' /proc/sys/net/ipv4/conf/*/arp_announce
	frame listeners grep -HE ' (0A|07) ' /proc/self/net/tcp /proc/self/net/tcp6 /proc/self/net/udp /proc/self/net/udp6
}

containers() {
	set -f
	IFS=$newline
	docker="docker${newline}-H${newline}unix://$SOCKET"
	all=$($docker ps -aq 2>&1) || {
		echo "@@docker-said"
		printf '%s\n' "$all" | sed 's/^/|/'
		unset IFS
		set +f
		return
	}
	case $SOCKET in
	/var/run/docker.sock | /run/docker.sock) ;; # root's dockerd
	*) case $($docker info --format '{{.SecurityOptions}}' 2>/dev/null) in *name=rootless*) echo "@@rootless" ;; esac ;;
	esac
	echo "@@docker"
	frame networks $docker network inspect --format \
		'{"id":{{json .ID}},"name":{{json .Name}},"driver":{{json .Driver}},"ipam":{{json .IPAM.Config}},"options":{{json .Options}},"internal":{{json .Internal}}}' \
		$($docker network ls -q 2>/dev/null)
	[ -n "$all" ] && all=$($docker inspect --type container --format \
		'{"pid":{{json .State.Pid}},"id":{{json .ID}},"name":{{json .Name}},"mode":{{json .HostConfig.NetworkMode}},"ports":{{json .NetworkSettings.Ports}},"bindings":{{json .HostConfig.PortBindings}},"networks":{{json .NetworkSettings.Networks}}}' \
		$all 2>/dev/null)
	[ -n "$all" ] && frame containers printf '%s\n' "$all"
	files='' links=''
	for pid in $(printf '%s\n' "$all" | sed -nE 's/^\{"pid":([1-9][0-9]*),.*/\1/p'); do
		files="$files$newline/proc/$pid/net/tcp$newline/proc/$pid/net/tcp6$newline/proc/$pid/net/udp$newline/proc/$pid/net/udp6"
		links="$links /proc/$pid/root/sys/class/net/*/iflink"
	done
	[ -n "$files" ] && frame inside grep -HE ' (0A|07) ' $files
	unset IFS
	set +f
	# shellcheck disable=SC2086 # the patterns are expanded here
	[ -n "$links" ] && frame ports grep -H . $links
}

# A pattern of lines that may add rules.
MAYBE_RULES='iptables|ip6tables|ebtables|nft[[:space:]]|^[*](filter|nat|mangle|raw)|(^|[[:space:]])(-A|-I|--append|--insert)[[:space:]]'

# paths_in FILE... prints the paths that occur in scripts, and the files in the scripts' own
# directories that they source.
paths_in() {
	grep -hoE '/[A-Za-z0-9_@%+.,/-]+' "$@" 2>/dev/null
	awk '/^[ \t]*(\.|source)[ \t]/ {
		gsub(/["\047;]/, "")
		base = $NF
		sub(/.*\//, "", base)
		dir = FILENAME
		sub(/\/[^\/]*$/, "", dir)
		print dir "/" base
	}' "$@" 2>/dev/null
}

# writers prints the commands of all systemd units, and the files that may add rules. It starts with the files
# that units name and with those in well-known places; in three rounds it follows the paths that scripts name.
writers() {
	set -- /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system
	dirs=
	for d in "$@"; do [ -d "$d" ] && dirs="$dirs $d"; done
	units=
	for d in $dirs; do
		[ "$d" = /lib/systemd/system ] && [ -h /lib ] && continue
		units="$units $(echo "$d"/*.service "$d"/*.service.d/*.conf)"
	done
	# shellcheck disable=SC2086 # unit names have no blanks
	execs=$(grep -HE '^[[:space:]]*Exec[A-Za-z]*[[:space:]]*=' $units /dev/null 2>/dev/null)
	frame units printf '%s\n' "$execs"
	# shellcheck disable=SC2086
	frame enabled printf '%s\n' /etc/systemd/system/*.wants/*.service /etc/systemd/system/*.requires/*.service /run/systemd/generator*/*.wants/*.service

	seen=
	next=$(
		printf '%s\n' "$execs" | sed 's/^[^:]*://' | grep -oE '/[A-Za-z0-9_@%+.,/-]+'
		printf '%s\n' "$execs" | grep -E "$MAYBE_RULES" | sed 's/:.*//'
		printf '%s\n' /etc/rc.local /etc/rc.d/rc.local /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/root /var/spool/cron/root \
			/etc/network/interfaces /etc/network/interfaces.d/* /etc/network/if-*.d/* /etc/NetworkManager/dispatcher.d/* /etc/networkd-dispatcher/*/* \
			/etc/iptables/* /etc/iptables.* /etc/sysconfig/ip*tables /etc/sysconfig/ebtables* /etc/ebtables* /etc/ufw/*.rules \
			/etc/nftables.conf /etc/nftables/* /etc/sysconfig/nftables.conf /etc/firewalld/direct.xml /etc/init.d/* /etc/local.d/* \
			/etc/ppp/ip-up.d/* /etc/openvpn/* /etc/wireguard/*.conf /var/lib/boot2docker/*.sh
	)
	IFS=$newline
	written='' names='' all_scripts=''
	binary=-I
	grep -I . /dev/null >/dev/null 2>&1
	[ $? -gt 1 ] && binary=-s # busybox grep has no -I
	set -f
	for _ in 1 2 3; do
		fresh=$(printf '%s\n' "$next" | grep '^/' | grep -vE '^/(proc|sys|dev)/' | sort -u)
		[ -n "$fresh" ] && fresh=$(find -L $fresh -prune -type f -size -513 2>/dev/null)
		[ -n "$fresh" ] && [ -n "$seen" ] && fresh=$(printf '%s\n' "$fresh" | grep -vxF "$seen")
		seen="$seen${seen:+$newline}$fresh"
		[ -n "$fresh" ] || break
		for f in $(grep -lE $binary "$MAYBE_RULES" $fresh /dev/null 2>/dev/null); do
			frame "file $f" cat "$f"
			written="$written$newline$f"
			names="$names$newline-e$newline${f##*/}"
		done
		scripts=$(grep -lE $binary '^#!.*sh|^[[:space:]]*(\.|source)[[:space:]]' $fresh /dev/null 2>/dev/null)
		[ -n "$scripts" ] || break
		all_scripts="$all_scripts$newline$scripts"
		next=$(paths_in $scripts)
	done
	# Scripts that only run or source one of these files.
	if [ -n "$names" ] && [ -n "$all_scripts" ]; then
		for f in $(grep -lF $names $all_scripts /dev/null 2>/dev/null); do
			case "$written$newline" in *"$newline$f$newline"*) continue ;; esac
			frame "file $f" cat "$f"
		done
	fi
	unset IFS
	set +f
}

main() {
	echo "@@docker-vpn-helper packet-filters"
	if [ "$(id -u)" = 0 ]; then
		rules
		network
		containers
		writers
	else
		echo "@@not-root"
	fi
	echo "@@end"
}
main </dev/null
