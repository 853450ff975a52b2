#!/bin/sh
# Runs apply whenever a container starts. Used where systemd cannot do that.
cd "$(dirname "$0")" || exit 1
while [ -f apply ]; do
	since=$(date +%s) # so that no container is missed that starts before events listens
	sh ./apply
	docker -H "unix://$(cat socket)" events --since "$since" --filter type=container --filter event=start --format start 2>/dev/null |
		while read -r _; do sh ./apply changed; done
	sleep 1
done
