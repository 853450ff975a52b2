package explain

import (
	_ "embed"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/docker-vpn-helper/docker-vpn-helper/docs"
)

//go:embed testdata/unexplained.txt
var unexplained string

// otherTexts are the parts of testdata/unexplained.txt, each after a line "==".
func otherTexts() []string { return strings.Split(unexplained, "\n==\n")[1:] }

func TestSamplesAreExplainedByTheirEntry(t *testing.T) {
	for _, e := range All() {
		for _, sample := range e.samples {
			for name, text := range map[string]string{
				"as it is":          sample,
				"wrapped at 60":     wrapped(sample, 60),
				"cut at 80":         cut(sample, 80),
				"in a JSON log":     `{"msg":` + strconv.Quote(sample) + `}`,
				"framed":            framed(sample),
				"by PowerShell":     powershell(sample),
				"quoted":            "> " + strings.ReplaceAll(sample, "\n", "\n> "),
				"quoted twice":      ">> " + strings.ReplaceAll(sample, "\n", "\n>> "),
				"colored, CRLF":     "\x1b(B\x1b[m\x1b]0;a title\a\x1b[31m" + strings.ReplaceAll(sample, "\n", "\r\n") + "\x1b[0m",
				"under other lines": "Creating machine...\n(default) Starting the VM...\n" + sample + "\nSee 'docker run --help'.\n",
			} {
				if found, ok := Find(text); !ok {
					t.Errorf("%s: not explained, %s:\n%s", e.ID, name, sample)
				} else if found.ID != e.ID {
					t.Errorf("%s: explained as %s, %s:\n%s", e.ID, found.ID, name, sample)
				}
			}
		}
	}
}

// A program's closing line, before or after a line that has the reason, does not hide
// the reason. Each sample meets one closing line, too far away for a pattern to take
// parts of both.
func TestAReasonBeatsAClosingLine(t *testing.T) {
	type sample struct {
		text string
		of   Entry
	}
	var reasons, closings []sample
	for _, e := range All() {
		for _, text := range e.samples {
			if spaced, joined := normal(text); e.fits(e.match, spaced, joined) {
				reasons = append(reasons, sample{text, e})
			} else {
				closings = append(closings, sample{text, e})
			}
		}
	}
	if len(closings) < 50 {
		t.Errorf("only %d closing lines", len(closings))
	}
	between := strings.Repeat("\nWaiting for machine to be running...", 120) + "\n"
	for i, reason := range reasons {
		closing := closings[i%len(closings)]
		spaced, _ := normal(closing.text)
		if slices.ContainsFunc(reason.of.not, func(sign string) bool { return strings.Contains(spaced, sign) }) {
			continue
		}
		for _, text := range []string{reason.text + between + closing.text, closing.text + between + reason.text} {
			if e, _ := Find(text); e.ID != reason.of.ID {
				t.Errorf("with the closing line of %s, %s is explained as %q:\n%s", closing.of.ID, reason.of.ID, e.ID, reason.text)
			}
		}
	}
}

// wrapped breaks lines between words, as terminals and chat programs do.
func wrapped(text string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Split(text, " ") {
		if column > 0 && column+len(word) > width {
			b.WriteByte('\n')
			column = 0
		} else if column > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		column += len(word) + 1
	}
	return b.String()
}

// cut breaks lines where they are full, as Windows' console does.
func cut(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for len(line) > width+1 {
			b.WriteString(line[:width] + "\n")
			line = line[width:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// framed puts a text into a box.
func framed(text string) string {
	return "╭────╮\n│ " + strings.ReplaceAll(text, "\n", " │\n│ ") + " │\n╰────╯\n"
}

// powershell is a text as > writes it there: UTF-16, little endian, with a mark.
func powershell(text string) string {
	b := []byte("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return string(b)
}

// The whole advice for messages that were once explained wrongly, or not at all.
func TestAdvice(t *testing.T) {
	mac := Laptop{System: "darwin", Machine: "dev", Program: "docker-vpn-helper"}
	mac7 := mac
	mac7.HostOnlyNetworks = func() bool { return true }
	linux := Laptop{System: "linux", Machine: "dev", Program: "docker-vpn-helper"}
	allow := []string{"on macOS 15 or later: System Settings > Privacy & Security > Local Network: allow the terminal program"}
	renew := []string{
		"docker-vpn-helper cert show dev",
		"docker-machine regenerate-certs --client-certs dev   # then regenerate-certs for every other machine, if the CA has expired, too",
	}
	for _, c := range []struct {
		name, text string
		on         Laptop
		id, code   string
		run, do    []string
	}{
		{"dockerd is polled last, after SSH", "Daemon not responding yet: dial tcp 192.168.99.104:2376: operation timed out\nDaemon not responding yet: dial tcp 192.168.99.104:2376: network is unreachable\nDaemon not responding yet: dial tcp 192.168.99.104:2376: no route to host\nError creating machine: Maximum number of retries (60) exceeded",
			mac, "docker.timeout", "route.hijacked", []string{`eval "$(docker-vpn-helper fix dev)"`, "docker-vpn-helper doctor dev"}, nil},
		{"no host-only adapter, VirtualBox 6", "Error checking TLS connection: Machine does not have a host-only adapter",
			mac, "vbox.no-hostonly-adapter", "machine.adapter-unsupported", []string{`eval "$(docker-vpn-helper fix dev)"   # docker then uses NAT, without that card`, "VBoxManage showvminfo dev --machinereadable | grep -i -e nic2 -e 'host-*only'", "VBoxManage list hostonlyifs", "minikube start --driver=docker   # for minikube"}, nil},
		{"no host-only adapter, VirtualBox 7", "Error checking TLS connection: Machine does not have a host-only adapter",
			mac7, "vbox.no-hostonly-adapter", "machine.adapter-unsupported", []string{`eval "$(docker-vpn-helper fix dev)"   # docker then uses NAT, without that card`, "VBoxManage showvminfo dev --machinereadable | grep -i -e nic2 -e 'host-*only'", "VBoxManage list hostonlynets", "minikube start --driver=docker   # for minikube"}, nil},
		{"an old docker-machine, after our hint", "Incorrect Usage.\n\nUsage: docker-machine regenerate-certs [OPTIONS] [arg...]\nflag provided but not defined: -client-certs",
			mac, "docker-machine.no-client-certs", "tls.client-cert-rejected", []string{"docker-machine version", "mv ~/.docker/machine/certs ~/certs.old && docker-machine create -d none --url tcp://127.0.0.1:1 new-ca && docker-machine rm -f new-ca && docker-machine regenerate-certs -f dev   # without the upgrade: makes a new CA; name all machines"}, []string{"upgrade docker-machine to 0.16.2: https://github.com/docker/machine/releases"}},
		{"creation stopped before the rule for SSH", "Bad port '0'\nexit status 255",
			mac, "ssh.port-zero", "ssh.refused", []string{"VBoxManage showvminfo dev --machinereadable | grep Forwarding", "docker-machine stop dev && docker-machine start dev   # adds the rule and writes its port down", "docker-vpn-helper doctor dev"}, nil},
		{"dockerd's alert about the client certificate", `error during connect: Get "https://127.0.0.8:2376/v1.50/containers/json": remote error: tls: expired certificate`,
			mac, "docker.client-cert-expired", "tls.client-cert-rejected", renew, nil},
		{"docker's own finding about the server certificate", `error during connect: Get "https://127.0.0.8:2376/v1.50/info": x509: certificate has expired or is not yet valid: current time 2026-03-01T10:00:00Z is after 2026-02-01T00:00:00Z`,
			mac, "docker.cert-expired", "tls.expired", []string{"docker-vpn-helper cert show dev", "docker-vpn-helper fix dev"}, nil},
		{"curl gets the alert", "curl: (56) OpenSSL SSL_read: OpenSSL/3.0.13: error:0A000415:SSL routines::sslv3 alert certificate expired, errno 0",
			mac, "curl.client-cert-expired", "tls.client-cert-rejected", renew, nil},
		{"macOS denies docker the local network", "dial tcp 192.168.99.100:2376: connect: no route to host",
			mac, "docker.unreachable", "route.local-network-denied", []string{"docker-vpn-helper doctor dev", `eval "$(docker-vpn-helper fix dev)"   # docker then connects to 127.0.0.1`}, allow},
		{"macOS denies ssh the local network", "ssh: connect to host 192.168.99.100 port 22: Undefined error: 0",
			mac, "ssh.unreachable", "route.local-network-denied", []string{"docker-vpn-helper doctor dev", "docker-vpn-helper fix dev"}, allow},
		{"Linux has no such permission", "dial tcp 192.168.99.100:2376: connect: no route to host",
			linux, "docker.unreachable", "route.stale", []string{"docker-vpn-helper doctor dev", `eval "$(docker-vpn-helper fix dev)"   # docker then connects to 127.0.0.1`}, nil},
		{"the server's newest API", "Error response from daemon: client is newer than server (client API version: 1.24, server API version: 1.21)",
			linux, "docker.api-too-new", "daemon.api-too-old", []string{"export DOCKER_API_VERSION=1.21   # the newest API of the VM's dockerd", "docker-machine upgrade dev"}, nil},
		{"the server's only API", "API version 1.39 is not supported by this client: the minimum supported API version is 1.44",
			linux, "docker.server-api-too-old", "daemon.api-too-old", []string{"export DOCKER_API_VERSION=1.39   # with it set, docker does not negotiate", "docker-machine upgrade dev"}, nil},
		{"the server's oldest API, on Linux", "client version 1.22 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
			linux, "docker.api-too-old", "daemon.client-too-old", []string{`echo "$DOCKER_API_VERSION"`, "docker --version   # upgrade it from where it was installed", "export DOCKER_API_VERSION=1.24   # for a program that cannot be upgraded, if its library reads it", "echo api.version=1.24 >> ~/.docker-java.properties   # for Java: Testcontainers before 2.0.2"}, nil},
		{"VirtualBox 7 names the network that it has made", "VBoxManage: error: Host-only adapters are no longer supported!\nVBoxManage: error: For your convenience a host-only network named 'Legacy vboxnet0 Network' has been created",
			mac7, "vbox.hostonly-unsupported", "machine.adapter-unsupported", []string{"VBoxManage list hostonlynets", `VBoxManage modifyvm dev --nic2 hostonlynet --host-only-net2 "Legacy vboxnet0 Network"   # a network of that list whose LowerIP is not the VM's address`, "docker-vpn-helper fix dev   # docker then uses NAT"}, nil},
		{"a message from Windows, read on Linux", "VBoxManage.exe: error: Failed to attach the network LUN (VERR_INTNET_FLT_IF_NOT_FOUND)",
			linux, "vbox.internal-network", "route.interface-down", []string{"VBoxManage list hostonlyifs", "VBoxManage modifyvm dev --hostonlyadapter2 vboxnet0   # one that is listed"}, []string{"disable and enable the adapter in Network Connections"}},
		{"the port in the message", "docker: Error response from daemon: driver failed programming external connectivity on endpoint web (7e6c): Bind for 0.0.0.0:80 failed: port is already allocated.",
			linux, "container.port-allocated", "", []string{"docker ps --filter publish=80", "docker-compose down"}, nil},
		{"the name in the message", `Error response from daemon: Conflict. The container name "/web-1" is already in use by container "6e4f".`,
			linux, "container.name-taken", "", []string{"docker ps -a --filter name=web-1", "docker rm web-1", "docker start web-1   # if it is the one you want"}, nil},
		{"127.0.0.1 is what the certificate lacks", "x509: certificate is valid for 192.168.99.100, not 127.0.0.1",
			linux, "docker.cert-no-loopback", "tls.address-missing", []string{"docker-vpn-helper fix --reissue dev"}, nil},
		{"localhost is what the certificate lacks", "x509: certificate is valid for 192.168.99.100, not localhost",
			linux, "docker.cert-no-localhost", "tls.name-missing", []string{"docker-vpn-helper fix dev"}, nil},
		{"the line of docker-machine's that people copy", "You can attempt to regenerate them using 'docker-machine regenerate-certs [name]'.",
			linux, "docker-machine.cert-check", "route.hijacked", []string{"docker-vpn-helper doctor dev", `eval "$(docker-vpn-helper fix dev)"`}, []string{"paste the line above this one, too: it has the reason"}},
	} {
		e, _ := Find(c.text)
		e = e.On(c.on, c.text)
		got := []any{e.ID, e.Code, e.Run, e.Do}
		if want := []any{c.id, c.code, c.run, append([]string{}, c.do...)}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, want)
		}
	}
}

// A message may be anybody's: what a command line takes from it is made of letters,
// digits and a few signs that no shell knows.
func TestValuesCannotBeCommands(t *testing.T) {
	group := regexp.MustCompile(`\(([^?][^)]*)\)`)
	harmless := regexp.MustCompile(`^(\[[A-Za-z0-9 _.-]+\]\+|\\\.)+$`)
	for _, e := range All() {
		for _, v := range e.values {
			if m := group.FindStringSubmatch(v.re.String()); m == nil || !harmless.MatchString(m[1]) {
				t.Errorf("%s: %s may be more than a number or name: %s", e.ID, v.name, v.re)
			}
			if !slices.ContainsFunc(e.advice, func(a advice) bool { return v.word.MatchString(a.line) }) {
				t.Errorf("%s: no command has %s", e.ID, v.name)
			}
		}
	}
}

func TestOtherTextsAreNotExplained(t *testing.T) {
	all := otherTexts()
	if len(all) < 40 {
		t.Errorf("only %d samples", len(all))
	}
	for _, text := range append(all, "") {
		if e, ok := Find(text); ok {
			t.Errorf("explained as %s:\n%s", e.ID, text)
		}
	}
}

// People paste the last half of docker's line. What a registry or another server prints
// just so stays unexplained.
func TestTheRestOfALine(t *testing.T) {
	for text, want := range map[string]string{
		"x509: certificate signed by unknown authority":        "docker.cert-unknown-authority",
		" x509: certificate has expired or is not yet valid\n": "docker.cert-expired",
		"tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of \"crypto/rsa: verification error\" while trying to verify candidate authority certificate \"ann\")": "docker.cert-unknown-authority",
		"remote error: tls: unknown certificate authority":     "docker.client-cert-rejected",
		"remote error: tls: bad certificate":                   "docker.client-cert-rejected",
		"http: server gave HTTP response to HTTPS client":      "docker.not-tls",
		"dial tcp 127.0.0.1:5432: connect: connection refused": "",
		"net/http: TLS handshake timeout":                      "docker.timeout",
		"context deadline exceeded":                            "docker.timeout",
		"no space left on device":                              "container.disk-full",
		"cp: no space left on device":                          "",
		"permission denied":                                    "",
		"http: TLS handshake error from 192.168.99.1:54321: remote error: tls: bad certificate": "",
		"x509: certificate signed by unknown authority\nhelm failed":                            "",
	} {
		if e, _ := FindRest(text); e.ID != want {
			t.Errorf("%q: %q, want %q", text, e.ID, want)
		}
	}
}

// docker-machine prints its name before each line of a driver's.
func TestFramesDoNotCount(t *testing.T) {
	for _, e := range All() {
		for _, sample := range e.samples {
			for _, frame := range []string{"(default) ", "(dev-2) DBG | "} {
				framed := frame + strings.ReplaceAll(strings.TrimRight(sample, "\n"), "\n", "\n"+frame)
				if got, _ := Find(framed); got.ID != e.ID {
					t.Errorf("%s is explained as %q with the frame:\n%s", e.ID, got.ID, framed)
				}
			}
		}
	}
}

func TestEntriesAreComplete(t *testing.T) {
	all := All()
	samples := 0
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.ID] {
			t.Errorf("%s is there twice", e.ID)
		}
		seen[e.ID] = true
		if e.Means == "" || len(e.Causes) == 0 || len(e.advice) == 0 || e.Source == "" || len(e.match)+len(e.closing) == 0 || len(e.samples) == 0 {
			t.Errorf("%s is not complete", e.ID)
		}
		if e.Code != "" && !slices.Contains(docs.Codes(), e.Code) {
			t.Errorf("%s names the code %s, which has no page", e.ID, e.Code)
		}
		for i, code := range e.Also {
			if !slices.Contains(docs.Codes(), code) || code == e.Code || slices.Contains(e.Also[:i], code) || e.Code == "" {
				t.Errorf("%s names the code %s, which has no page or is named twice, or there is no first one", e.ID, code)
			}
		}
		for _, p := range e.pages {
			if !slices.Contains(docs.Codes(), p.line) {
				t.Errorf("%s names the code %s, which has no page", e.ID, p.line)
			}
		}
		samples += len(e.samples)
	}
	if len(all) < 260 || samples < 480 {
		t.Errorf("only %d messages with %d samples are known", len(all), samples)
	}
}

func TestMistakesInAFileAreErrors(t *testing.T) {
	for block, want := range map[string]string{
		"== a.b\nmeaning x\n":                      `a.b: meaning x: no line begins with "meaning"`,
		"== a.b\nmatch TIMED_OUT … x\n":            "a.b: match TIMED_OUT … x: no list TIMED_OUT comes before",
		"== a.b\nmatch Error\n":                    `a.b: match Error: neither a list nor a text in lower case: "Error"`,
		"== a.b\nmatch x …\n":                      `a.b: match x …: neither a list nor a text in lower case: ""`,
		"== a.b\nnot {x\n":                         `a.b: not {x: neither a list nor a text in lower case: "{x"`,
		"== A_LIST\nx\n== a.b\nmatch y {A_LIST|z}": "a.b: match y {A_LIST|z}: text beside the list A_LIST",
		"== a.b\nvalue PORT (\n":                   "a.b: value PORT (: error parsing regexp: missing closing ): `(?i)(`",
	} {
		c := contents{lists: map[string][]string{}}
		if err := c.add(block); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", block, err, want)
		}
	}
}

func TestPatternsTakePartsInOrderAndNear(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          bool
	}{
		{"dial tcp 1.2.3.4:2376: i/o timeout", "dial tcp…timeout", true},
		{"timeout, then dial tcp", "dial tcp…timeout", false},
		{"dial" + strings.Repeat(" x", near) + " timeout", "dial…timeout", false},
		{"dial" + strings.Repeat(" x", near) + " timeout", "dial……timeout", true},
		{"dial" + strings.Repeat(" x", near) + " dial timeout", "dial…timeout", true},
		{"a b c", "a…b…c", true},
		{"a c b", "a…b…c", false},
	} {
		p, err := parsePattern(c.pattern, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.fits(c.text); got != c.want {
			t.Errorf("%q in %.40q: %v", c.pattern, c.text, got)
		}
	}
}

// FuzzFind: any text is answered, the answer does not depend on letter case,
// and what is around a text does not hide it.
func FuzzFind(f *testing.F) {
	for _, e := range All() {
		for _, sample := range e.samples {
			f.Add(sample)
		}
	}
	for _, text := range otherTexts() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spaced, joined := normal(text)
		for _, n := range []string{spaced, joined} {
			if again, _ := normal(n); again != n {
				t.Errorf("normal(%q) = %q, and that becomes %q", text, n, again)
			}
		}
		a, okA := Find(text)
		b, okB := Find(spaced)
		if joined == spaced && (okA != okB || a.ID != b.ID) || okB && !okA {
			t.Errorf("%q is %q, %v; as %q it is %q, %v", text, a.ID, okA, spaced, b.ID, okB)
		}
	})
}
