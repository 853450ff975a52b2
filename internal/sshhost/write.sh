# Replaces a file in one step: sh -c THIS sh PATH MODE SIZE, content on stdin.
# MODE is octal, or - to keep the file's own. Owner and group stay as they are.
set -u
LC_ALL=C
export LC_ALL
f=$1 mode=$2 size=$3 hops=0
while [ -L "$f" ]; do
	hops=$((hops + 1))
	[ "$hops" -le 40 ] || { echo "$1: too many levels of symbolic links" >&2; exit 1; }
	to=$(readlink "$f") || exit 1
	case $to in
	/*) f=$to ;;
	*) f=${f%/*}/$to ;;
	esac
done
if [ -d "$f" ]; then
	echo "$f: Is a directory" >&2
	exit 1
fi
dir=${f%/*}
t=$dir/.docker-vpn-helper.$$
trap 'rm -f "$t"' EXIT
trap 'exit 1' HUP INT TERM PIPE
umask 077
# cp brings the owner and the mode along.
if [ -e "$f" ]; then cp -p "$f" "$t" || exit 1; fi
cat >"$t" || exit 1
# A connection that is cut looks like the end of the input.
got=$(wc -c <"$t") || exit 1
if [ "$got" -ne "$size" ]; then
	echo "$f: received $got of $size bytes" >&2
	exit 1
fi
case $mode in
-) ;;
*) chmod "$mode" "$t" || exit 1 ;;
esac
# Only newer versions of sync take names; the others then sync everything.
sync "$t" 2>/dev/null || sync
mv -f "$t" "$f" || exit 1
sync "$dir" 2>/dev/null || sync
