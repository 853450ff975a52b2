package dockerhost

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/posix"
)

// probe runs the real scripts; /proc is the machine's own only where arrange made it.
func (m *machine) probe(uid string) Facts {
	m.t.Helper()
	m.write("bin/id", "#!/bin/sh\necho "+uid+"\n")
	cmd := probe()
	cmd.Stdin = []byte(strings.NewReplacer("id -u", m.path("bin/id")+" -u", `"/proc/$`, `"`+m.root+`/proc/$`, "/run/systemd", m.root+"/run/systemd").Replace(string(cmd.Stdin)))
	c, out := m.start(m.t.Context(), cmd)
	if err := c.Wait(); err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	f, err := parseFacts(out.Bytes())
	if err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	if f.Cert.Found && f.FreeKiB <= 0 || time.Since(f.Now).Abs() > time.Hour || f.Boot == "" {
		m.t.Errorf("free %d, clock %v, boot %q", f.FreeKiB, f.Now, f.Boot)
	}
	// These are the test computer's own.
	f.FreeKiB, f.Now, f.Boot = 0, time.Time{}, ""
	f.Cert.Path = strings.TrimPrefix(f.Cert.Path, m.root)
	f.CA.Path = strings.TrimPrefix(f.CA.Path, m.root)
	f.Key.Path = strings.TrimPrefix(f.Key.Path, m.root)
	f.Init = Init(strings.TrimPrefix(string(f.Init), m.root))
	return f
}

// dockerd gives the machine's /proc a process.
func (m *machine) dockerd(pid, comm string, argv ...string) {
	m.write("proc/"+pid+"/comm", comm+"\n")
	m.write("proc/"+pid+"/cmdline", strings.Join(argv, "\x00")+"\x00")
	m.write("proc/"+pid+"/stat", pid+" ("+comm+") S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n")
}

func TestProbe(t *testing.T) {
	const sudoOK = `[ "$1" = -n ] && shift && exec "$@"`
	base := func() Facts {
		return Facts{UID: 1000, Root: true, OSID: "boot2docker", OSVersion: "18.09.9", OSName: "Boot2Docker 18.09.9", Init: "/etc/init.d/docker", Client: true,
			Cert: File{Path: "/var/lib/boot2docker/server.pem", From: "profile", Found: true, Data: []byte(oldCert)},
			Key:  File{Path: "/var/lib/boot2docker/server-key.pem", From: "profile"},
			CA:   File{Path: "/var/lib/boot2docker/ca.pem", From: "profile", Found: true, Data: []byte("CA without newline")},
			Log:  `level=info msg="API listen on [::]:2376"`}
	}
	boot2docker := func(m *machine) {
		m.write("etc/os-release", "NAME=Boot2Docker\nVERSION=18.09.9\nID=boot2docker\nID_LIKE=tcl\nVERSION_ID=18.09.9\nPRETTY_NAME=\"Boot2Docker 18.09.9\"\n")
		m.write("var/lib/boot2docker/ca.pem", "CA without newline")
		m.write("var/lib/boot2docker/profile", "\nEXTRA_ARGS='\n--label provider=virtualbox\n\n'\nCACERT="+m.root+"/var/lib/boot2docker/ca.pem\nDOCKER_HOST='-H tcp://0.0.0.0:2376'\nDOCKER_STORAGE=overlay2\nDOCKER_TLS=auto\nSERVERKEY="+m.root+"/var/lib/boot2docker/server-key.pem\nSERVERCERT="+m.root+"/var/lib/boot2docker/server.pem\n\n")
		m.write("bin/sudo", "#!/bin/sh\n"+sudoOK+"\n")
		m.write("var/run/docker.pid", "")
		for _, own := range m.glob("proc/[0-9]*") {
			check(m.t, os.Remove(m.path(own)))
		}
	}
	for name, tt := range map[string]struct {
		arrange func(*machine)
		want    func(*Facts)
	}{
		"boot2docker": {func(m *machine) {
			m.dockerd("321", "dockerd", "dockerd", "-H", "unix://", "-H", "tcp://0.0.0.0:2376", "--tlsverify")
		}, func(f *Facts) {
			f.Daemon = Process{321, 4711}
			f.Hosts = []string{"unix://", "tcp://0.0.0.0:2376"}
		}},
		"daemon_of_docker_1_8_beside_a_client": {func(m *machine) {
			m.dockerd("99", "docker", "docker", "run", "-it", "busybox")
			m.dockerd("400", "docker", "/usr/local/bin/docker", "daemon", "-D", "--host=tcp://0.0.0.0:2376")
		}, func(f *Facts) {
			f.Daemon = Process{400, 4711}
			f.Hosts = []string{"tcp://0.0.0.0:2376"}
		}},
		"sudo_refused": {func(m *machine) {
			m.write("bin/sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
		}, func(f *Facts) { f.Root, f.SudoError = false, "sudo: a password is required" }},
		"no_profile_but_a_command_line": {func(m *machine) {
			os.Remove(m.path("var/lib/boot2docker/profile"))
			m.write("srv/a b.pem", newCert)
			m.dockerd("7", "dockerd", "dockerd", "--tlscert="+m.root+"/srv/a b.pem", "--tlskey", m.root+"/srv/key", "-Htcp://0.0.0.0:12376", "--log-opt", "token=secret")
		}, func(f *Facts) {
			f.Daemon, f.Hosts = Process{7, 4711}, []string{"tcp://0.0.0.0:12376"}
			f.Cert = File{Path: "/srv/a b.pem", From: "command-line", Found: true, Data: []byte(newCert)}
			f.Key = File{Path: "/srv/key", From: "command-line"}
			f.CA.From = "default"
		}},
		"daemon_json": {func(m *machine) {
			os.Remove(m.path("var/lib/boot2docker/profile"))
			m.write("etc/docker/daemon.json", "{\n \"tlscert\": \"/x/c.pem\", \"hosts\": [\"unix:///run/d.sock\",\n\"tcp://0.0.0.0:2377\"] }")
		}, func(f *Facts) {
			f.Hosts = []string{"unix:///run/d.sock", "tcp://0.0.0.0:2377"}
			f.Cert = File{Path: "/x/c.pem", From: "daemon.json"}
			f.Key.From, f.CA.From = "default", "default"
		}},
		"profile_that_would_run_something": {func(m *machine) {
			m.write("var/lib/boot2docker/profile", "SERVERCERT=$(touch "+m.root+"/owned)\nSERVERKEY='/k/a'; export CACERT=\"/c/a\" # x\nexport CACERT=\"/c/b\" # x\n")
		}, func(f *Facts) {
			f.Cert.From = "default"
			f.Key = File{Path: "/k/a", From: "profile"}
			f.CA = File{Path: "/c/b", From: "profile"}
		}},
		"hostile_files": {func(m *machine) {
			m.write("var/lib/boot2docker/server.pem", "\n@@end\n@@uid\n|0\n\xff\r\n.\n")
			m.write("var/lib/boot2docker/log/docker.log", "x\n@@sudo-error|no\n\n")
		}, func(f *Facts) {
			f.Cert.Data = []byte("\n@@end\n@@uid\n|0\n\xff\r\n.\n")
			f.Log = "@@sudo-error|no"
		}},
		"log_of_the_boot2docker_before_the_upgrade": {func(m *machine) { // boot2docker 17.x, on the same disk
			m.logged("var/lib/boot2docker/docker.log", "old\n", -time.Hour)
		}, func(*Facts) {}},
		"log_of_boot2docker_17": {func(m *machine) {
			os.Remove(m.path("var/lib/boot2docker/log/docker.log"))
			m.logged("var/lib/boot2docker/docker.log", "first\nlast\n\n", 0)
		}, func(f *Facts) { f.Log = "last" }},
		"log_of_the_first_boot2docker": {func(m *machine) {
			os.Remove(m.path("var/lib/boot2docker/log/docker.log"))
			m.logged("var/log/docker.log", "last\n", 0)
		}, func(f *Facts) { f.Log = "last" }},
		"log_of_an_init_script_that_was_changed": {func(m *machine) {
			m.logged("var/log/docker.log", "now\n", time.Hour)
		}, func(f *Facts) { f.Log = "now" }},
		"ubuntu_14.04": {func(m *machine) { // its init script sends everybody to upstart
			m.write("etc/init/docker.conf", "")
			m.write("bin/initctl", "#!/bin/sh\necho 'init (upstart 1.12.1)'\n")
		}, func(f *Facts) { f.Init = Upstart }},
		"ubuntu_16.04": {func(m *machine) { // upstart's file is there, upstart is not
			m.write("etc/init/docker.conf", "")
			m.write("run/systemd/system/x", "")
			m.write("bin/systemctl", "#!/bin/sh\n[ \"$1\" = cat ]\n")
			m.write("bin/initctl", "#!/bin/sh\nexit 127\n")
		}, func(f *Facts) { f.Init = Systemd }},
		"number_sign_in_a_path": {func(m *machine) {
			m.write("var/lib/boot2docker/profile", "SERVERCERT=/srv/a#b.pem # the new one\nSERVERKEY=/k/a;CACERT=/c/a\n")
		}, func(f *Facts) {
			f.Cert = File{Path: "/srv/a#b.pem", From: "profile"}
			f.Key = File{Path: "/k/a", From: "profile"}
			f.CA.From = "default"
		}},
		"public_half_of_the_key": {func(m *machine) {
			out, err := exec.Command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", m.path("var/lib/boot2docker/server-key.pem")).CombinedOutput()
			if err != nil {
				m.t.Fatalf("%v: %s", err, out)
			}
		}, func(f *Facts) { f.Key.Found, f.KeyPublic = true, "PUBLIC" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range posix.Shells(t) {
				shell := command[0]
				m := newMachine(t, shell)
				boot2docker(m)
				tt.arrange(m)
				want := base()
				if tt.want != nil {
					tt.want(&want)
				}
				got := m.probe("1000")
				if strings.HasPrefix(got.KeyPublic, "-----BEGIN PUBLIC KEY-----\n") {
					got.KeyPublic = "PUBLIC"
				}
				same(t, shell, want, got)
				if _, err := os.Stat(m.path("owned")); err == nil {
					t.Errorf("%s: the profile was run", shell)
				}
			}
		})
	}
}

func TestPortAndSocket(t *testing.T) {
	for _, tt := range []struct {
		hosts  []string
		port   int
		socket string
	}{
		{nil, 0, defaultSocket},
		{[]string{"fd://"}, 0, defaultSocket},
		{[]string{"unix:///var/run/docker.sock", "tcp://0.0.0.0:2376"}, 2376, "/var/run/docker.sock"},
		{[]string{"tcp://[::]:12376/", "unix:///run/x.sock"}, 12376, "/run/x.sock"},
		{[]string{"tcp://host", "tcp://:99999", "unix://relative"}, 0, defaultSocket},
	} {
		f := Facts{Hosts: tt.hosts}
		if tt.port != 0 && !f.Listens(tt.port) || f.Listens(1) {
			t.Errorf("%q: listens on %d: %v", tt.hosts, tt.port, f.Listens(tt.port))
		}
		if f.Port() != tt.port || f.Socket() != tt.socket {
			t.Errorf("%q: %d, %q", tt.hosts, f.Port(), f.Socket())
		}
	}
}

func TestCommandsThatMakeNoSense(t *testing.T) {
	good := Swap{ID: "a-1", Cert: "/c", From: []byte("x"), To: []byte("y"), daemon: daemon{Init: Systemd}}
	if _, err := good.cmd(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Swap){
		"id_with_a_path":     func(s *Swap) { s.ID = "../x" },
		"no_id":              func(s *Swap) { s.ID = "" },
		"relative_path":      func(s *Swap) { s.Cert = "c" },
		"nothing_new":        func(s *Swap) { s.To = s.From },
		"empty":              func(s *Swap) { s.To = nil },
		"a_key":              func(s *Swap) { s.To = []byte("-----BEGIN RSA PRIVATE KEY-----") },
		"no_way_to_restart":  func(s *Swap) { s.daemon.Init = "" },
		"binary_certificate": func(s *Swap) { s.From = []byte{0} },
	} {
		s := good
		spoil(&s)
		if cmd, err := s.cmd(); err == nil {
			t.Errorf("%s: %s", name, cmd.Stdin)
		}
	}
}

// Nothing of a certificate, nor the script, is in argv; and a command whose
// transfer is cut anywhere does nothing at all.
func TestCommandTransferCut(t *testing.T) {
	m := newMachine(t, "dash")
	cmd := m.swap(oldCert, newCert)
	same(t, "argv", []string{"sh", "-s"}, cmd.Argv)
	whole := cmd.Stdin
	for i := 0; i < len(whole)-len("main </dev/null\n"); i += 1 + len(whole)/40 {
		cmd.Stdin = whole[:i]
		c, _ := m.start(t.Context(), cmd)
		c.Wait()
	}
	same(t, "world", world{oldCert, oldCert, nil, map[string]string{}}, m.world())
	same(t, "left", []string(nil), m.glob("var/run/docker-vpn-helper/*"))
}

func FuzzFrames(f *testing.F) {
	f.Add("name", "a\nb", "other", "")
	f.Add("x", "@@end\n|y\n", "x", "\r\n\xff")
	f.Fuzz(func(t *testing.T, name, text, name2, text2 string) {
		if strings.ContainsAny(name+name2, "\n") || name == "" || name2 == "" || name == name2 || name == "end" || name2 == "end" ||
			strings.HasPrefix(name, "docker-vpn-helper ") || strings.HasPrefix(name2, "docker-vpn-helper ") {
			return
		}
		lines, lines2 := strings.Split(text, "\n"), strings.Split(text2, "\n")
		var b bytes.Buffer
		fmt.Fprintf(&b, "welcome\n@@docker-vpn-helper facts\n@@%s\n|%s\n@@%s\n|%s\n@@end\n", name, strings.Join(lines, "\n|"), name2, strings.Join(lines2, "\n|"))
		got, err := parseFrames(b.Bytes(), "facts")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(frames{name: lines, name2: lines2}, got); diff != "" {
			t.Error(diff)
		}
		cut := b.Bytes()[:b.Len()-len("@@end\n")]
		if _, err := parseFrames(cut, "facts"); err == nil {
			t.Error("a cut answer passes for a whole one")
		}
	})
}

func FuzzParseFacts(f *testing.F) {
	f.Add([]byte("@@docker-vpn-helper facts\n@@uid\n|1000\n@@daemon\n|12 34\n@@hosts\n|tcp://:2376\n@@cert\n|x\n|.\n@@now\n|1700000000\n@@end\n"))
	f.Add([]byte("@@docker-vpn-helper facts\n@@json-hosts\n|\"a\", \"b\"\n@@os-release\n|ID=\"x\"\n@@end\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		facts, err := parseFacts(out)
		if err != nil {
			return
		}
		if p := facts.Port(); p < 0 || p > 65535 || facts.Daemon.PID < 0 || !strings.HasPrefix(facts.Socket(), "/") || facts.Root != (facts.UID == 0 || bytes.Contains(out, []byte("@@sudo"))) && facts.Root {
			t.Errorf("%+v", facts)
		}
	})
}

func FuzzParseResult(f *testing.F) {
	f.Add([]byte("@@docker-vpn-helper result\n@@outcome\n|swapped\n@@restarted\n|a\n|a\n@@end\n"))
	f.Add([]byte("@@docker-vpn-helper result\n@@outcome\n|rolled-back\n@@reason\n|x\n@@end\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		r, err := parseResult(out)
		if err != nil {
			return
		}
		if r.Outcome == "" || len(slices.Compact(slices.Sorted(slices.Values(r.Restarted)))) != len(r.Restarted) {
			t.Errorf("%+v", r)
		}
	})
}
