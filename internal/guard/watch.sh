#!/bin/sh
# Runs apply whenever a container starts.
cd "$(dirname "$0")" || exit 1
while [ -f apply ]; do
	sh ./apply
	read -r changed <changes
	docker -H "unix://$(cat socket)" events --filter type=container --filter event=start --format start 2>/dev/null |
		while read -r _; do sh ./apply "$changed"; done
	sleep 1
done
