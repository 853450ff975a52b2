#!/bin/sh
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd "$(dirname "$0")" || exit 1
if [ -z "$DVH_LOCKED" ] && command -v flock >/dev/null 2>&1; then
	mkdir -p /var/run/docker-vpn-helper/rules && exec 9>/var/run/docker-vpn-helper/rules/lock || exit 1
	tries=0
	until flock -n 9; do
		tries=$((tries + 1))
		[ $tries -le 300 ] || exit 1
		sleep 0.1 2>/dev/null || sleep 1
	done
fi
