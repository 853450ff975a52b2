# The certificate file. At most two files of ours are beside it, and none after the transaction.

# place: sets target to the file behind symbolic links, dir to its directory, and fresh and saved to our
# two files there.
place() {
	target=$CERT hops=0
	while [ -L "$target" ] && [ "$hops" -lt 40 ]; do
		hops=$((hops + 1))
		to=$(readlink "$target") || break
		case $to in
		/*) target=$to ;;
		*) target=${target%/*}/$to ;;
		esac
	done
	dir=${target%/*}
	fresh=$dir/.docker-vpn-helper.new
	saved=$dir/.docker-vpn-helper.old
}

# content FILE: sets content to the file's text and a dot, so that a newline at its end is not lost.
content() {
	content=$(cat "$1" 2>/dev/null && echo .) || content=
}

# which_file: sets file to old, new or other. If OLD is empty, old means that there is no file.
which_file() {
	if [ ! -e "$target" ]; then
		file=other
		[ -n "$OLD" ] || file=old
		return
	fi
	content "$target"
	case $content in
	"$NEW.") file=new ;;
	"$OLD.") file=old ;;
	*) file=other ;;
	esac
}

durable() { sync "$1" 2>/dev/null || sync; }

# put TEXT: replaces the file's content in one step; owner and mode stay.
put() {
	rm -f "$fresh"
	if [ -e "$target" ]; then
		cp -p "$target" "$fresh" || return 1
	else
		: >"$fresh" && chmod 0644 "$fresh" || return 1
	fi
	printf '%s' "$1" >"$fresh" || return 1
	content "$fresh"
	[ "$content" = "$1." ] || return 1
	durable "$fresh"
	mv -f "$fresh" "$target" || return 1
	durable "$dir"
}

# swap_in: installs the new certificate. If it fails, the file is unchanged.
swap_in() {
	if [ -n "$OLD" ]; then
		rm -f "$saved"
		# The way back must not need space, since the disk may be full.
		ln "$target" "$saved" 2>/dev/null
	fi
	put "$NEW"
}

# swap_back: restores the old certificate.
swap_back() {
	which_file
	[ "$file" = new ] || return 0
	if [ -z "$OLD" ]; then
		rm -f "$target"
		return
	fi
	content "$saved"
	if [ "$content" = "$OLD." ]; then
		mv -f "$saved" "$target" && durable "$dir" && return 0
	fi
	put "$OLD"
}

tidy() { rm -f "$fresh" "$saved"; }
