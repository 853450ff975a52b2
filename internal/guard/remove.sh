# Removes everything that apply has loaded, from both backends: "iptables" may have been another
# backend when apply ran.
LC_ALL=C
export LC_ALL
rc=0

has() { command -v "$1" >/dev/null 2>&1; }

# batch prints the input of iptables-restore. $rules are the rules of table mangle.
batch() {
	echo '*mangle'
	printf '%s\n' "$rules" | grep -E -e '^-A (FORWARD|INPUT) .*-j DOCKER-PUB(-IN)?$' | sed 's/^-A/-D/'
	for chain in DOCKER-PUB DOCKER-PUB-IN; do
		printf '%s\n' "$rules" | grep -qx -e "-N $chain" && printf '%s\n' "-F $chain" "-X $chain"
	done
	echo COMMIT
}

for f in iptables ip6tables iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do
	has "$f" || continue
	case $f in
	iptables-legacy) grep -qsx mangle /proc/net/ip_tables_names || continue ;;
	ip6tables-legacy) grep -qsx mangle /proc/net/ip6_tables_names || continue ;;
	esac
	rules=$($f -w 5 -t mangle -S 2>/dev/null) || continue
	printf '%s\n' "$rules" | grep -q -e '-N DOCKER-PUB' || continue
	batch | "$f-restore" -w 5 --noflush || rc=1
done
if has nft && nft list table inet dvh_guard >/dev/null 2>&1; then
	nft delete table inet dvh_guard || rc=1
fi
watch_pid=/var/run/docker-vpn-helper/rules/guard.watch
if read -r pid 2>/dev/null <$watch_pid && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'guard.*/watch'; then
	kill -- "-$pid" 2>/dev/null
fi
rm -f $watch_pid /var/run/docker-vpn-helper/rules/guard.loaded /var/run/docker-vpn-helper/rules/guard.window
exit $rc
