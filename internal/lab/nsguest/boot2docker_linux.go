package nsguest

// boot2docker returns the files of a boot2docker host outside /var/lib/boot2docker. To a caller the
// scripts behave like boot2docker's: same paths, variables and verbs (boot2docker 9dd8410,
// rootfs/rootfs/etc/init.d/docker).
func (v *VM) boot2docker() []file {
	return []file{
		{"/etc/os-release", osRelease, 0o644},
		{"/etc/inittab", "::sysinit:/etc/init.d/rcS\n::shutdown:/etc/init.d/rcK\n::ctrlaltdel:/sbin/reboot\n", 0o644},
		{"/etc/init.d/rcS", rcStart, 0o755},
		{"/etc/init.d/rcK", "#!/bin/sh\n/etc/init.d/docker stop\n", 0o755},
		{"/etc/init.d/docker", initDocker, 0o755},
		{"/usr/bin/sethostname", setHostname, 0o755},
	}
}

const osRelease = `NAME=Boot2Docker
VERSION=19.03.12
ID=boot2docker
ID_LIKE=tcl
VERSION_ID=19.03.12
PRETTY_NAME="Boot2Docker 19.03.12 (TCL 10.1)"
ANSI_COLOR="1;34"
HOME_URL="https://github.com/boot2docker/boot2docker"
`

const rcStart = `#!/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mkdir -p /run/sshd /var/lib/boot2docker/etc
/usr/sbin/sshd -E /var/log/sshd.log
[ ! -e /var/lib/boot2docker/bootsync.sh ] || sh /var/lib/boot2docker/bootsync.sh
/etc/init.d/docker start
[ ! -e /var/lib/boot2docker/bootlocal.sh ] || sh /var/lib/boot2docker/bootlocal.sh &
`

// setHostname is what docker-machine calls before it makes certificates (docker/machine b170508b,
// libmachine/provision/boot2docker.go, SetHostname). It then writes the name into
// /var/lib/boot2docker/etc, which must exist.
const setHostname = `#!/bin/sh
echo "$1" >/etc/hostname
exec /bin/busybox hostname "$1"
`

// profile is the file that docker-machine writes (docker/machine b170508b,
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

const initDocker = `#!/bin/sh
# Starts and stops dockerd with what /var/lib/boot2docker/profile says.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
PIDFILE=/var/run/docker.pid
LOG=/var/lib/boot2docker/log/docker.log
CACERT=/var/lib/boot2docker/ca.pem
SERVERCERT=/var/lib/boot2docker/server.pem
SERVERKEY=/var/lib/boot2docker/server-key.pem
DOCKER_HOST='-H tcp://0.0.0.0:2376'
DOCKER_TLS=auto
DOCKER_STORAGE=overlay2
EXTRA_ARGS=
[ -f /var/lib/boot2docker/profile ] && . /var/lib/boot2docker/profile

running() {
	[ -s "$PIDFILE" ] && [ -d "/proc/$(cat "$PIDFILE")" ]
}

start() {
	if running; then
		echo "Docker is already running"
		return 1
	fi
	rm -f "$PIDFILE"
	tls=
	if [ "$DOCKER_TLS" != no ]; then
		tls="--tlsverify --tlscacert=$CACERT --tlscert=$SERVERCERT --tlskey=$SERVERKEY"
	fi
	mkdir -p "${LOG%/*}"
	echo "------------------------" >>"$LOG"
	# shellcheck disable=SC2086 # the variables hold several words
	setsid dockerd -s "$DOCKER_STORAGE" -H unix:///var/run/docker.sock $DOCKER_HOST $tls $EXTRA_ARGS \
		</dev/null >>"$LOG" 2>&1 &
	return 0
}

stop() {
	if ! running; then
		return 0
	fi
	pid=$(cat "$PIDFILE")
	kill "$pid"
	n=0
	while [ -d "/proc/$pid" ]; do
		n=$((n + 1))
		if [ "$n" -gt 600 ]; then
			kill -9 "$pid"
			break
		fi
		sleep 0.05
	done
	rm -f "$PIDFILE"
}

case "$1" in
start) start ;;
stop) stop ;;
restart) stop; start ;;
status)
	if running; then
		echo "Docker daemon is running"
	else
		echo "Docker daemon is not running"
		exit 1
	fi
	;;
*)
	echo "Usage: $0 {start|stop|restart|status}"
	exit 1
	;;
esac
`
