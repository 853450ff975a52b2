# Collects facts about the docker host, as root if sudo allows it, or else as the login user. INNER
# is the script that prints them; parseFacts parses the output.
main() {
	LC_ALL=C
	export LC_ALL
	uid=$(id -u)
	echo "@@docker-vpn-helper facts"
	echo "@@uid"
	echo "|$uid"
	if [ "$uid" = 0 ]; then
		printf '%s\n' "$INNER" | sh -s
	else
		out=$(printf '%s\n' "$INNER" | sudo -n sh -s 2>&1)
		case $out in
		*@@root-facts*)
			echo "@@sudo"
			printf '%s\n' "$out"
			;;
		*)
			echo "@@sudo-error"
			printf '%s\n' "$out" | sed 's/^/|/'
			printf '%s\n' "$INNER" | sh -s
			;;
		esac
	fi
	echo "@@end"
}
main </dev/null
