package fakedockerhost

// The texts on a guest's disk. Paths in them are the guest's; put maps them.

const boot2dockerRelease = `NAME=Boot2Docker
VERSION=%[1]s
ID=boot2docker
ID_LIKE=tcl
VERSION_ID=%[1]s
PRETTY_NAME="Boot2Docker %[1]s (TCL 8.2.1)"
ANSI_COLOR="1;34"
HOME_URL="https://github.com/boot2docker/boot2docker"
`

const debianRelease = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
`

// profile is the file that docker-machine 0.16.2 writes (docker/machine b170508b,
// libmachine/provision/boot2docker.go, GenerateDockerOptions).
const profile = `
EXTRA_ARGS='
--label provider=virtualbox

'
CACERT=/var/lib/boot2docker/ca.pem
DOCKER_HOST='-H tcp://0.0.0.0:2376'
DOCKER_STORAGE=overlay2
DOCKER_TLS=auto
SERVERKEY=/var/lib/boot2docker/server-key.pem
SERVERCERT=/var/lib/boot2docker/server.pem

`

// initScript behaves as boot2docker's does: start returns before dockerd serves, and prints nothing
// if it never will.
const initScript = `#!/bin/sh
[ "$(id -u)" = 0 ] || { echo 'must be root'; exit 1; }
CACERT=/var/lib/boot2docker/tls/ca.pem
SERVERKEY=/var/lib/boot2docker/tls/serverkey.pem
SERVERCERT=/var/lib/boot2docker/tls/server.pem
DOCKER_HOST='-H tcp://0.0.0.0:2376'
EXTRA_ARGS=
[ -f /var/lib/boot2docker/profile ] && . /var/lib/boot2docker/profile
pidfile=/var/run/docker.pid
check() { [ -f $pidfile ] && kill -0 "$(cat $pidfile)" 2>/dev/null; }
start() {
	check && { echo 'Docker is already running'; exit 1; }
	mkdir -p /var/lib/boot2docker/log
	echo ------------------------ >>/var/lib/boot2docker/log/docker.log
	dockerd -H unix:///var/run/docker.sock $DOCKER_HOST $EXTRA_ARGS --tlsverify --tlscacert=$CACERT --tlscert=$SERVERCERT --tlskey=$SERVERKEY >>/var/lib/boot2docker/log/docker.log 2>&1
}
stop() {
	check || return 0
	pid=$(cat $pidfile)
	kill "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}
case $1 in
start) start ;;
stop) stop ;;
restart) stop; start ;;
reload) check && kill -HUP "$(cat $pidfile)" ;;
status)
	if check; then echo 'Docker daemon is running'; exit 0; fi
	echo 'Docker daemon is not running'
	exit 1 ;;
*) echo "Usage $0 {start|stop|restart|reload|status}"; exit 1 ;;
esac
`

// machineConf is docker-machine's drop-in for systemd hosts (docker/machine
// b170508b, libmachine/provision/systemd.go).
const machineConf = `[Service]
ExecStart=
ExecStart=/usr/bin/dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock --storage-driver overlay2 --tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem --tlskey /etc/docker/server-key.pem --label provider=virtualbox 
Environment=
`

const dockerService = `[Unit]
Description=Docker Application Container Engine
[Service]
Type=notify
ExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS
`

// commonPrograms are the fakes that every guest has.
func commonPrograms() map[string]string {
	return map[string]string{
		"sudo": `#!/bin/sh
while :; do
	case ${1-} in
	--) shift; break ;;
	-u|-g|-p|-C) shift 2 ;;
	-v|-k) exit 0 ;;
	-*) shift ;;
	*=*) export "$1"; shift ;;
	*) break ;;
	esac
done
if [ -e "$DVH_GUEST/faults/sudo" ]; then
	echo 'sudo: a password is required' >&2
	exit 1
fi
if [ -e "$DVH_GUEST/faults/sudo-warns" ]; then
	echo 'sudo: unable to resolve host default: Name or service not known' >&2
fi
DVH_ROOT=1
export DVH_ROOT
exec "$@"
`,
		"id": `#!/bin/sh
if [ "${DVH_ROOT-}" = 1 ]; then uid=0 name=root; else uid=1000 name=$USER; fi
case "$*" in
-u) echo $uid ;;
-un) echo $name ;;
-g) echo $uid ;;
-gn) echo $name ;;
*) echo "uid=$uid($name) gid=$uid($name) groups=$uid($name),999(docker)" ;;
esac
`,
		"whoami":      "#!/bin/sh\nexec id -un\n",
		"chown":       "#!/bin/sh\nexit 0\n",
		"chgrp":       "#!/bin/sh\nexit 0\n",
		"restorecon":  "#!/bin/sh\nexit 0\n",
		"hostname":    "#!/bin/sh\ncat /etc/hostname\n",
		"sethostname": "#!/bin/sh\nexit 0\n",
		"ip":          "#!/bin/sh\ncase \"$*\" in *docker0*) exit 1 ;; esac\ncat \"$DVH_GUEST/run/ip-addr\"\n",
		"pidof":       pidof,
		"pgrep":       pidof,
		"setsid":      "#!/bin/sh\nDVH_AS=guest-setsid exec \"$DVH_GUEST_EXE\" \"$@\"\n",
		"docker":      "#!/bin/sh\nDVH_AS=guest-docker exec \"$DVH_GUEST_EXE\" \"$@\"\n",
		"dockerd":     "#!/bin/sh\ncase ${1-} in --version|-v) exec docker --version ;; esac\nDVH_AS=guest-ctl exec \"$DVH_GUEST_EXE\" start \"$@\" >/dev/null\n",
		"install":     install,
		"netstat":     listeners,
		"ss":          listeners,
		"date": `#!/bin/sh
ahead=$(cat "$DVH_GUEST/faults/clock" 2>/dev/null || echo 0)
case ${1-} in -d|-r|--date*|@*) exec /bin/date "$@" ;; esac
[ "$ahead" = 0 ] && exec /bin/date "$@"
now=$(($(/bin/date +%s) + ahead))
/bin/date -d "@$now" "$@" 2>/dev/null || /bin/date -r "$now" "$@"
`,
	}
}

const pidof = `#!/bin/sh
for last; do :; done
case $last in
dockerd|docker) [ -f /var/run/docker.pid ] && cat /var/run/docker.pid && echo ;;
*) exit 1 ;;
esac
`

// install is install(1) without owners, which are always the current user here.
const install = `#!/bin/sh
mode=755 dir=
while :; do
	case ${1-} in
	-m) mode=$2; shift 2 ;;
	-o|-g) shift 2 ;;
	-d) dir=1; shift ;;
	--) shift; break ;;
	-m*) mode=${1#-m}; shift ;;
	-*) shift ;;
	*) break ;;
	esac
done
if [ -n "$dir" ]; then mkdir -p "$@" && chmod "$mode" "$@"; exit; fi
for to; do :; done
[ -d "$to" ] && to=$to/${1##*/}
rm -f "$to.new"
(umask 077; cat "$1" >"$to.new") && chmod "$mode" "$to.new" && mv -f "$to.new" "$to"
`

// listeners is netstat -tln and ss -tln: it prints the guest's ports, not the computer's.
const listeners = `#!/bin/sh
echo 'State   Recv-Q Send-Q Local Address:Port Peer Address:Port'
echo 'LISTEN  0      128    0.0.0.0:22         0.0.0.0:*'
for f in "$DVH_GUEST"/net/*; do
	[ -f "$f" ] && echo "LISTEN  0      128    0.0.0.0:${f##*/}       0.0.0.0:*"
done
exit 0
`

// systemdPrograms are the fakes of a systemd guest. As with Type=notify, start returns when dockerd
// serves or has ended.
func systemdPrograms() map[string]string {
	return map[string]string{
		"systemctl": `#!/bin/sh
verb= prop= value= unit= noblock=
while [ $# -gt 0 ]; do
	case $1 in
	-p) prop="$prop $2"; shift ;;
	-p*) prop="$prop ${1#-p}" ;;
	--property=*) prop="$prop ${1#*=}" ;;
	--value) value=1 ;;
	--no-block) noblock=1 ;;
	-n|-o|-t) shift ;;
	-*) ;;
	*) if [ -z "$verb" ]; then verb=$1; else unit=$1; fi ;;
	esac
	shift
done
ctl() { DVH_AS=guest-ctl "$DVH_GUEST_EXE" "$@"; }
pidfile=/run/docker.pid
running() { [ -f $pidfile ] && kill -0 "$(cat $pidfile)" 2>/dev/null; }
root() { [ "$(id -u)" = 0 ] || { echo "Failed to $verb $unit: Interactive authentication required." >&2; exit 1; }; }
start() {
	running && return 0
	set -- $(sed -n 's/^ExecStart=[^ ][^ ]* //p' /etc/systemd/system/docker.service.d/10-machine.conf)
	if [ -n "$noblock" ]; then ctl start "$@" >/dev/null 2>&1; return 0; fi
	rm -f "$DVH_GUEST/run/failed"
	ctl start-wait "$@" >/dev/null 2>&1 && return 0
	: >"$DVH_GUEST/run/failed"
	echo 'Job for docker.service failed because the control process exited with error code.' >&2
	echo 'See "systemctl status docker.service" and "journalctl -xeu docker.service" for details.' >&2
	exit 1
}
show() {
	pid=0 active=inactive sub=dead
	if running; then pid=$(cat $pidfile) active=active sub=running; fi
	[ -n "$prop" ] || prop='MainPID LoadState ActiveState SubState ExecStart'
	for p in $(echo "$prop" | tr , ' '); do
		case $p in
		MainPID|ExecMainPID) v=$pid ;;
		LoadState) v=loaded ;;
		ActiveState) v=$active ;;
		SubState) v=$sub ;;
		FragmentPath) v=/etc/systemd/system/docker.service ;;
		ExecStart) v="{ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd $(sed -n 's/^ExecStart=[^ ][^ ]* //p' /etc/systemd/system/docker.service.d/10-machine.conf); ignore_errors=no }" ;;
		*) v= ;;
		esac
		if [ -n "$value" ]; then echo "$v"; else echo "$p=$v"; fi
	done
}
case ${unit%.service} in
docker|'') ;;
*) echo "Unit $unit could not be found." >&2; exit 4 ;;
esac
case $verb in
start) root; start ;;
stop) root; ctl stop >/dev/null ;;
restart) root; ctl stop >/dev/null; start ;;
is-active) if running; then echo active; else echo inactive; exit 3; fi ;;
is-enabled) echo enabled ;;
is-failed) if [ -e "$DVH_GUEST/run/failed" ]; then echo failed; exit 0; fi
	if running; then echo active; else echo inactive; fi; exit 1 ;;
reset-failed) root; rm -f "$DVH_GUEST/run/failed" ;;
status) show; running || exit 3 ;;
show) show ;;
cat) echo '# /etc/systemd/system/docker.service'; cat /etc/systemd/system/docker.service
	echo '# /etc/systemd/system/docker.service.d/10-machine.conf'; cat /etc/systemd/system/docker.service.d/10-machine.conf ;;
is-system-running) echo running ;;
daemon-reload|enable) ;;
*) echo "Unknown operation $verb." >&2; exit 1 ;;
esac
`,
		"journalctl": `#!/bin/sh
n=1000
while [ $# -gt 0 ]; do
	case $1 in
	-n) n=$2; shift ;;
	-n*) n=${1#-n} ;;
	--lines=*) n=${1#*=} ;;
	-u|-o|-p|-S|-U|-t) shift ;;
	esac
	shift
done
tail -n "$n" /var/log/journal/docker
`,
	}
}
