# Two programs are made of these files:
#   the part that waits   common wait
#   the part that works   common daemon work files containers transaction
# A function that has a result sets a variable of its own name; where it sets others, it names them.
# BASE holds a directory for each transaction, and lock.N, N rising: "pid birth id" of the
# process that works.

BASE=/var/run/docker-vpn-helper
DIR=$BASE/$ID
umask 077
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# birth PID: sets birth to its start in clock ticks; fails for a process that is
# gone or a zombie. A number alone could by now belong to another process.
birth() {
	birth='' stat=''
	case $1 in '' | *[!0-9]*) return 1 ;; esac
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# The name in parentheses may hold anything; what follows it are numbers.
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	case $1 in '' | Z | X | x) return 1 ;; esac
	birth=${20}
}

# holder: sets n, pid, born and id of the highest lock, and succeeds if it is held.
holder() {
	n=0 pid='' id=''
	for f in "$BASE"/lock.*; do
		i=${f##*/lock.}
		case $i in *[!0-9]*) continue ;; esac
		[ "$i" -gt "$n" ] && n=$i
	done
	[ "$n" -gt 0 ] || return 1
	{ read -r pid born id <"$BASE/lock.$n"; } 2>/dev/null || return 1
	birth "$pid" && [ "$birth" = "$born" ]
}

# clock: sets now to seconds since the boot, which no change of the clock sets back.
clock() {
	read -r now _ </proc/uptime
	now=${now%%.*}
}

# An old busybox sleeps whole seconds only.
if sleep 0.001 2>/dev/null; then TICK=0.03; else TICK=1; fi
pause() { sleep "$TICK"; }

# keep NAME: stdin becomes a file of the transaction, whole or not at all.
keep() { cat >"$DIR/.$1.$$" && mv -f "$DIR/.$1.$$" "$DIR/$1"; }
