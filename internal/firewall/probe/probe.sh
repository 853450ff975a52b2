# Counts where the docker host sees the packets of one client. Needs root. probe.go reads its
# output. Parameters:
#   STEP      arm: add the counting rules; read: print the counters, and remove the rules
#   TOOL      iptables or ip6tables
#   PROTOCOL  tcp or udp
#   PORT      the client's source port
#   MARK      the comment of our rules
#   DEADLINE  after how many seconds the rules are removed in any case
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# Where packets are counted: table, chain, and the option that matches PORT. The packet passes
# them in this order, then the answer.
POINTS='raw PREROUTING --sport
mangle INPUT --sport
mangle FORWARD --sport
mangle POSTROUTING --sport
raw PREROUTING --dport
mangle POSTROUTING --dport'

# rule ACTION TABLE CHAIN OPTION [NUMBER] adds (-I) or deletes (-D) a rule without a target, which
# counts packets and does nothing else.
rule() {
	"$TOOL" -w 5 -t "$2" "$1" "$3" ${5:+"$5"} -p "$PROTOCOL" "$4" "$PORT" -m comment --comment "$MARK" 2>/dev/null
}

remove() {
	echo "$POINTS" | while read -r table chain option; do
		while rule -D "$table" "$chain" "$option"; do :; done
	done
}

# arm starts a process that removes the rules at the deadline, whatever becomes of this shell and
# the connection. Then it adds them.
arm() {
	(
		trap '' HUP INT TERM
		sleep "$DEADLINE"
		remove
	) </dev/null >/dev/null 2>&1 &
	echo "$POINTS" | while read -r table chain option; do
		rule -I "$table" "$chain" "$option" 1 || echo "@@refused $table $chain"
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
