# The certificate file. Where it lies there are never more than two files of
# ours beside it, and none when the transaction is over.

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

# content FILE: sets content to all of it and a dot, so that a newline at its end counts.
content() {
	content=$(cat "$1" 2>/dev/null && echo .) || content=
}

# which_file: sets file to old, new, other; an empty OLD stands for no file.
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

# put TEXT: the file with this content, owner and mode as they were, in one step.
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

# swap_in: fails with the file as it was.
swap_in() {
	if [ -n "$OLD" ]; then
		rm -f "$saved"
		# The way back must not need space on a full disk.
		ln "$target" "$saved" 2>/dev/null
	fi
	put "$NEW"
}

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
