#!/bin/sh
# Runs one program, in namespaces that scripts/rulesets has made for it, has it write its rules
# and prints them as a txtar archive: a heading with the program's version, the network that the
# rules are about, and each ruleset as its tool saves it.
set -eu
name=$1

# until COMMAND succeeds, at most a minute.
await() {
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "did not succeed in a minute: $*" >&2
	return 1
}

version() { dpkg-query -W -f='${Version}' "$1"; }

# network: eth0 to clients, eth1 to servers.
network() {
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
	ip link set lo up
	ip link add eth0 type veth peer name peer0
	ip link set peer0 up
	ip addr add 10.1.1.1/24 dev eth0
	ip addr add 2001:db8:1::1/64 dev eth0 nodad
	ip link set eth0 up
	ip route add default via 10.1.1.254
}

second() {
	ip link add eth1 type veth peer name peer1
	ip link set peer1 up
	ip addr add 10.2.2.1/24 dev eth1
	ip addr add 2001:db8:2::1/64 dev eth1 nodad
	ip link set eth1 up
}

# Where a client, a second client that some rules refuse, and a server are.
servers='out eth1
router 10.2.2.1/24
router 2001:db8:2::1/64
server 10.2.2.2
server 2001:db8:2::2
'

ufw_rules() {
	heading="ufw $(version ufw)"
	second
	sed -i 's/^DEFAULT_FORWARD_POLICY=.*/DEFAULT_FORWARD_POLICY="DROP"/' /etc/default/ufw
	ufw allow 22/tcp
	ufw allow proto tcp from 10.1.1.0/24 to any port 443
	ufw allow proto tcp from 2001:db8:1::/64 to any port 443
	ufw deny from 10.1.1.3
	ufw deny 8080
	ufw limit 2222/tcp
	ufw allow 5300:5310/udp comment 'names "here"'
	ufw reject 53/udp
	ufw route allow proto tcp from any to any port 80,443
	ufw route allow in on eth0 out on eth1 to any port 53
	ufw logging medium
	ufw --force enable
}

firewalld_rules() {
	heading="firewalld $(version firewalld), FirewallBackend=$1"
	second
	sed -i "s/^FirewallBackend=.*/FirewallBackend=$1/" /etc/firewalld/firewalld.conf
	mkdir -p /run/dbus
	dbus-daemon --system --fork
	firewalld --nofork --nopid &
	await firewall-cmd --state
	c="firewall-cmd --zone=public"
	$c --change-interface=eth0
	$c --add-port=80/tcp
	$c --add-port=5300-5310/udp
	$c --add-service=https
	$c --add-forward-port=port=8080:proto=tcp:toport=80:toaddr=10.2.2.2
	$c --add-masquerade
	$c --add-icmp-block=redirect
	$c --add-rich-rule='rule family=ipv4 source address=10.1.1.3 reject'
	$c --add-rich-rule='rule family=ipv6 source address=2001:db8:1::3 drop'
	$c --add-rich-rule='rule family=ipv4 source address=10.1.1.0/24 port port=53 protocol=udp log prefix="dns" limit value=5/m accept'
	firewall-cmd --zone=internal --change-interface=eth1
	firewall-cmd --zone=internal --add-service=dns
	firewall-cmd --permanent --new-policy=outward
	firewall-cmd --permanent --policy=outward --add-ingress-zone=internal
	firewall-cmd --permanent --policy=outward --add-egress-zone=public
	firewall-cmd --permanent --policy=outward --set-target=ACCEPT
	firewall-cmd --permanent --policy=outward --add-rich-rule='rule port port=22 protocol=tcp drop'
	firewall-cmd --runtime-to-permanent
	firewall-cmd --reload
}

# Ways in which fail2ban bans, one a jail.
fail2ban_rules() {
	heading="fail2ban $(version fail2ban)"
	second
	: >/var/log/some.log
	mkdir -p /run/fail2ban
	{
		printf '[DEFAULT]\nbackend = polling\nfilter = sshd\nignoreself = false\nallowipv6 = auto\n'
		printf '[sshd]\nenabled = true\nlogpath = /var/log/some.log\nport = 22\nbanaction = iptables-multiport\n'
		printf '[web]\nenabled = true\nlogpath = /var/log/some.log\nport = 80,443\nbanaction = nftables-multiport\n'
		printf '[names]\nenabled = true\nlogpath = /var/log/some.log\nport = 53\nprotocol = udp\nbanaction = iptables-ipset-proto6\n'
		printf '[all]\nenabled = true\nlogpath = /var/log/some.log\nbanaction = iptables-allports\nblocktype = DROP\n'
		printf '[sets]\nenabled = true\nlogpath = /var/log/some.log\nbanaction = iptables-ipset-proto6-allports\n'
	} >/etc/fail2ban/jail.local
	rm -f /etc/fail2ban/jail.d/*
	fail2ban-client start
	await fail2ban-client ping
	for jail in sshd web names; do
		fail2ban-client set $jail banip 10.1.1.3 2001:db8:1::3
	done
	fail2ban-client set all banip 10.1.1.99
	fail2ban-client set sets banip 10.1.1.98
	await sh -c 'iptables-save | grep -q "s 10.1.1.99/32"'
	await sh -c 'ipset save | grep -q 10.1.1.98'
	await sh -c 'nft list ruleset | grep -q 10.1.1.3'
}

libvirt_rules() {
	heading="libvirt $(version libvirt-daemon), the default network"
	servers='out virbr0
router 192.168.122.1/24
server 192.168.122.2
'
	mkdir -p /var/log/libvirt /run/libvirt
	rm -f /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so # it needs a user and hardware, and runs no network
	libvirtd &
	await virsh -c network:///system net-list --all
	virsh -c network:///system net-start default || await sh -c 'virsh -c network:///system net-list | grep -q default'
	await sh -c 'iptables-save | grep -q virbr0'
}

# docker_rules DAEMON OPTIONS...: two networks and three containers.
docker_rules() {
	daemon=$1
	shift
	servers='out docker0
router 172.17.0.1/16
server 172.17.0.2
'
	printf 'docker:x:999:\n' >>/etc/group
	"$daemon" --storage-driver vfs -H unix:///run/d.sock "$@" 2>/run/dockerd.log >&2 &
	d="docker -H unix:///run/d.sock"
	export DOCKER_API_VERSION=${api:-1.41}
	await $d version || { tail -n 20 /run/dockerd.log >&2; return 1; }
	mkdir -p /run/image/bin
	cp /bin/busybox /run/image/bin/
	tar -C /run/image -c . | $d import - busybox
	# The runc that is built for Docker 29 has no seccomp.
	run="$d run -d --security-opt seccomp=unconfined --entrypoint /bin/busybox"
	$run --name web -p 8080:80 -p 5353:53/udp -p 127.0.0.1:9000:9000 busybox sleep 3600
	$run --name plain busybox sleep 3600
	$d network create --subnet 172.30.0.0/24 -o com.docker.network.bridge.name=br-other other
	$run --name other --network other -p 8443:443 busybox sleep 3600
	[ $# -lt 2 ] || servers="${servers}router 2001:db8:2::1/64
server $($d inspect -f '{{.NetworkSettings.Networks.bridge.GlobalIPv6Address}}' web)
"
}

docker_29() {
	heading="Docker 29, moby $(/opt/bin/dockerd --version | sed 's/.*version \([^,]*\).*/\1/'), --firewall-backend=$1"
	PATH=/opt/bin:$PATH
	[ "$1" = nftables ] || echo 0 >/proc/sys/net/ipv4/ip_forward
	api=1.44 docker_rules /opt/bin/dockerd --firewall-backend="$1" --ipv6 --fixed-cidr-v6=2001:db8:2::/64
}

kube_rules() {
	heading="kube-proxy $(/opt/bin/kube-proxy --version | sed 's/.* //'), mode iptables"
	second
	servers="${servers}vip 10.96.0.10
vip 10.96.0.11
vip 10.96.0.12
"
	/opt/kubeapi &
	printf '%s\n' 'apiVersion: v1' 'kind: Config' 'clusters: [{name: c, cluster: {server: "http://127.0.0.1:8001"}}]' \
		'contexts: [{name: c, context: {cluster: c, user: ""}}]' 'current-context: c' >/run/kubeconfig
	printf '%s\n' 'apiVersion: kubeproxy.config.k8s.io/v1alpha1' 'kind: KubeProxyConfiguration' 'mode: iptables' 'hostnameOverride: node' \
		'clusterCIDR: 10.2.0.0/16' 'detectLocalMode: ClusterCIDR' 'clientConnection: {kubeconfig: /run/kubeconfig, contentType: application/json}' \
		'conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}' >/run/config
	/opt/bin/kube-proxy --config /run/config --v=2 2>/run/kube.log >&2 &
	for tool in iptables ip6tables; do # IPv6 comes later, and its last table is nat
		await sh -c "$tool-save -t nat | grep -q -e '-A KUBE-POSTROUTING'" || { tail -n 30 /run/kube.log >&2; return 1; }
	done
}

network
case $name in
ufw) ufw_rules ;;
firewalld-*) firewalld_rules "${name#firewalld-}" ;;
fail2ban) fail2ban_rules ;;
libvirt) libvirt_rules ;;
docker-20.10)
	heading="Docker $(version docker.io)"
	echo 0 >/proc/sys/net/ipv4/ip_forward # so that the daemon closes FORWARD when it switches forwarding on
	docker_rules /usr/sbin/dockerd
	;;
docker-29-*) docker_29 "${name#docker-29-}" ;;
kube-proxy) kube_rules ;;
*)
	echo "no program is called $name" >&2
	exit 1
	;;
esac >&2

section() {
	text=$($2 2>/dev/null) || return 0
	printf '%s\n' "$text" | grep -qE '^(-A|add |create )' || return 0
	printf -- '-- %s --\n' "$1"
	printf '%s\n' "$text" | grep -v '^#'
}

echo "$heading; $(iptables --version), $(nft --version | cut -d' ' -f1-2)."
echo "Written by that program in a network namespace of ours. Recorded by scripts/rulesets."
printf -- '-- network --\nin eth0\nclient 10.1.1.2\nclient 10.1.1.3\nclient 2001:db8:1::2\nclient 2001:db8:1::3\nrouter 10.1.1.1/24\nrouter 2001:db8:1::1/64\n%s' "$servers"
section ipset "ipset save"
for tool in iptables ip6tables ebtables; do
	for backend in nft legacy; do
		section $tool-$backend $tool-$backend-save
	done
done
own=$(for f in ip ip6; do
	tool=iptables
	[ $f = ip ] || tool=ip6tables
	$tool-nft-save 2>/dev/null | sed -n "s/^[*]/table $f /p"
done)
nft list tables | grep -vxF "$own
table bridge filter
table bridge nat" >/run/tables || exit 0
echo '-- nft --'
while read -r _ family table; do
	nft -s list table "$family" "$table"
done </run/tables
