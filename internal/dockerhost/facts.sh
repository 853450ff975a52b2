# Prints the facts as frames. Each line of another program's text gets a prefix, so that nothing in
# a file can be mistaken for a frame.
exec 2>/dev/null

say() {
	[ -n "$2" ] || return 0
	echo "@@$1"
	printf '%s\n' "$2" | sed 's/^/|/'
}

# whole NAME FILE: prints the first 64 KiB of a file and a dot, so that a newline at its end is not
# lost.
whole() {
	[ -f "$2" ] || return 0
	if [ ! -r "$2" ]; then
		say "$1-error" "Permission denied"
		return 0
	fi
	echo "@@$1"
	{
		dd if="$2" bs=65536 count=1
		echo .
	} | sed 's/^/|/'
	echo
}

# pick: reads arguments, one a line, and prints those that we need as "name value".
pick() {
	want=
	while IFS= read -r a; do
		if [ -n "$want" ]; then
			printf '%s %s\n' "$want" "$a"
			want=
			continue
		fi
		case $a in
		--tlscert | --tlskey | --tlscacert | --config-file | --pidfile) want=${a#--} ;;
		-p) want=pidfile ;;
		-H | --host) want=host ;;
		--tlscert=* | --tlskey=* | --tlscacert=* | --config-file=* | --pidfile=*)
			a=${a#--}
			printf '%s %s\n' "${a%%=*}" "${a#*=}"
			;;
		--host=* | -H=*) printf 'host %s\n' "${a#*=}" ;;
		-H?*) printf 'host %s\n' "${a#-H}" ;;
		esac
	done
}

last_of() { printf '%s\n' "$args" | sed -n "s/^$1 //p" | sed -n '$p'; }

# from_profile KEY: prints the path that root's own shell file assigns last, without running the
# file. It ignores a value that the shell would expand.
from_profile() {
	v=$(sed -n "s/^[[:space:]]*\(export[[:space:]][[:space:]]*\)*$1=//p" /var/lib/boot2docker/profile | sed -n '$p' |
		sed -e "s/^'\([^']*\)'.*/\1/" -e 's/^"\([^"]*\)".*/\1/' -e 's/[[:space:];].*//')
	case $v in
	*[\$\`\\]*) v= ;;
	/*) ;;
	*) v= ;;
	esac
	printf '%s' "$v"
}

from_json() {
	tr '\n' ' ' <"$json" | sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p"
}

# locate NAME PROFILE-KEY FLAG DEFAULT-FILE: sets path and from.
locate() {
	from=profile path=$(from_profile "$1")
	[ -n "$path" ] || { from=command-line path=$(last_of "$2"); }
	[ -n "$path" ] || { from=daemon.json path=$(from_json "$2"); }
	[ -n "$path" ] || { from=default path=$home/$3; }
}

facts() {
	say root-facts yes
	say now "$(date +%s)"
	say os-release "$(sed -n '/^[A-Z_]*=/p' /etc/os-release)"
	say boot "$(sed -n 1p /proc/sys/kernel/random/boot_id)"
	command -v docker >/dev/null && say client yes

	# On Ubuntu before 15.04, /etc/init.d/docker only refers to upstart.
	if [ -e /etc/init/docker.conf ] && initctl version | grep -q upstart; then
		say init upstart
	elif [ -e /etc/init.d/docker ] && ! [ -d /run/systemd/system ]; then
		say init /etc/init.d/docker
	elif command -v systemctl >/dev/null && systemctl cat docker.service >/dev/null; then
		say init systemd
	elif [ -e /etc/init.d/docker ]; then
		say init /etc/init.d/docker
	fi

	args=
	if find_daemon /var/run/docker.pid; then
		read -r stat <"/proc/$pid/stat"
		# shellcheck disable=SC2086 # to be split into words
		set -- ${stat##*) }
		say daemon "$pid ${20}"
		args=$(tr '\0' '\n' <"/proc/$pid/cmdline" | pick)
	elif command -v systemctl >/dev/null; then
		args=$(systemctl show -p ExecStart docker.service | tr ' ' '\n' | pick)
	fi
	json=$(last_of config-file)
	[ -n "$json" ] || json=/etc/docker/daemon.json
	say hosts "$(printf '%s\n' "$args" | sed -n 's/^host //p')"
	say json-hosts "$(tr '\n' ' ' <"$json" | sed -n 's/.*"hosts"[^[]*\[\([^]]*\)\].*/\1/p')"
	say pidfile "$(last_of pidfile)"

	home=/etc/docker
	[ -d /var/lib/boot2docker ] && home=/var/lib/boot2docker
	locate CACERT tlscacert ca.pem
	say ca-path "$path"
	say ca-from "$from"
	whole ca "$path"
	locate SERVERKEY tlskey server-key.pem
	say key-path "$path"
	say key-from "$from"
	# Only the public half. It stays unknown without openssl, or if openssl cannot read the key.
	[ -r "$path" ] && command -v openssl >/dev/null &&
		say key-public "$(openssl pkey -in "$path" -passin pass: -pubout </dev/null)"
	[ -r "$path" ] && say key-readable yes
	locate SERVERCERT tlscert server.pem
	say cert-path "$path"
	say cert-from "$from"
	whole cert "$path"

	dir=${path%/*}
	if [ -d "$dir" ]; then
		# shellcheck disable=SC2046 # to be split into words
		set -- $(df -Pk "$dir" | sed -n 2p)
		say free "$4"
		mount=$6
		opts=$(sed -n "s|^[^ ]* $mount [^ ]* \([^ ]*\) .*|\1|p" /proc/mounts | sed -n '$p')
		case ",$opts," in *,ro,*) say read-only yes ;; esac
	fi

	newest_log
	if [ -n "$log" ]; then
		say log "$(last_line "$log")"
	elif command -v journalctl >/dev/null; then
		say log "$(journalctl _SYSTEMD_UNIT=docker.service -n 1 -o cat --no-pager)"
	fi
}

# Commands must not read the script, which comes over stdin.
facts </dev/null
