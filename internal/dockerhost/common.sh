# Two programs consist of these files:
#   the part that waits   common wait
#   the part that works   common daemon work files containers transaction
# A function with a result sets a variable of its own name; its comment names any others that it
# sets. BASE contains a directory for each transaction, and the files lock.N with rising N: "pid
# birth id" of the process that works.

BASE=/var/run/docker-vpn-helper
DIR=$BASE/$ID
umask 077
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# birth PID: sets birth to the time when the process started, in clock ticks since boot. Fails if it
# has ended or is a zombie. The PID alone does not identify a process, because it may be reused.
birth() {
	birth='' stat=''
	case $1 in '' | *[!0-9]*) return 1 ;; esac
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# The name in parentheses may contain anything; after it there are only numbers.
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	case $1 in '' | Z | X | x) return 1 ;; esac
	birth=${20}
}

# holder: sets n, pid, born and id to those of the highest lock. Succeeds if that process is alive.
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

# clock: sets now to the seconds since boot, which do not depend on the system's time.
clock() {
	read -r now _ </proc/uptime
	now=${now%%.*}
}

# An old busybox can only sleep whole seconds.
if sleep 0.001 2>/dev/null; then TICK=0.03; else TICK=1; fi
pause() { sleep "$TICK"; }

# keep NAME: writes stdin to a file of the transaction, completely or not at all.
keep() { cat >"$DIR/.$1.$$" && mv -f "$DIR/.$1.$$" "$DIR/$1"; }
