# Counts where the docker host sees the packets of one client. Needs root. Read by probe.go.
# STEP is arm or read; TOOL is iptables or ip6tables; PROTOCOL is tcp or udp; PORT is the
# client's source port; MARK is the comment of our rules; DEADLINE is after how many seconds
# they are removed, whatever happens.
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# Where packets are counted, in the order of their way: table, chain, which end has the port.
POINTS='raw PREROUTING --sport
mangle INPUT --sport
mangle FORWARD --sport
mangle POSTROUTING --sport
raw PREROUTING --dport
mangle POSTROUTING --dport'

# rule ACTION TABLE CHAIN END [NUMBER]: a rule without a target counts, and does nothing else.
rule() {
	"$TOOL" -w 5 -t "$2" "$1" "$3" ${5:+"$5"} -p "$PROTOCOL" "$4" "$PORT" -m comment --comment "$MARK" 2>/dev/null
}

remove() {
	echo "$POINTS" | while read -r table chain end; do
		while rule -D "$table" "$chain" "$end"; do :; done
	done
}

# The deadline comes first. It outlives this shell and the connection.
arm() {
	(
		trap '' HUP INT TERM
		sleep "$DEADLINE"
		remove
	) </dev/null >/dev/null 2>&1 &
	echo "$POINTS" | while read -r table chain end; do
		rule -I "$table" "$chain" "$end" 1 || echo "@@refused $table $chain"
	done
}

counters() {
	for table in raw mangle; do
		"$TOOL-save" -c -t "$table" 2>/dev/null |
			sed -nE "s/^\[([0-9]+):[0-9]+\] -A ([A-Z]+) .*--([sd])port $PORT .*$MARK.*/|$table \2 --\3port \1/p"
	done
}

main() {
	echo "@@docker-vpn-helper probe"
	case $STEP in
	arm) arm ;;
	read)
		echo "@@counters"
		counters
		remove
		;;
	esac
	echo "@@end"
}
main </dev/null
