package fakedockerhost

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dockerdOptions are the supported flags of dockerd.
type dockerdOptions struct {
	hosts               []string
	verify, liveRestore bool
	caCert, cert, key   string
}

func parseDockerd(args []string) dockerdOptions {
	var o dockerdOptions
	for i := 0; i < len(args); i++ {
		name, value, inline := strings.Cut(args[i], "=")
		next := func() string {
			if !inline && i+1 < len(args) {
				i++
				return args[i]
			}
			return value
		}
		switch name {
		case "-H", "--host":
			o.hosts = append(o.hosts, next())
		case "--tlsverify":
			o.verify = value != "false"
		case "--live-restore":
			o.liveRestore = value != "false"
		case "--tlscacert":
			o.caCert = next()
		case "--tlscert":
			o.cert = next()
		case "--tlskey":
			o.key = next()
		}
	}
	return o
}

// dockerd is the main function of the process of that name. It ends on SIGTERM, or when its
// standard input ends, which means that its guest is gone.
func dockerd(dir string, args []string) int {
	// Set the kernel's name for this process; macOS has no such file.
	_ = os.WriteFile("/proc/self/comm", []byte("dockerd"), 0o600)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(137)
	}()
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	spec, err := readSpec(dir)
	if err != nil {
		return fatal(err)
	}
	o := parseDockerd(args)
	if err := startFaults(dir, o, term); err != nil {
		return fatal(err)
	}
	d := &engine{dir: dir, spec: spec, file: filepath.Join(dir, "containers.json"), liveRestore: o.liveRestore}
	d.published = newPublisher(d)
	servers, err := d.listen(o)
	if err != nil {
		return fatal(err)
	}
	if os.Getenv("DVH_RESUME") == "" {
		if err := d.startContainers(); err != nil {
			return fatal(err)
		}
		count(dir, "daemon-starts", time.Now().UTC().Format(time.RFC3339Nano)+" "+strconv.Itoa(os.Getpid()))
	}
	go d.published.run()
	_ = os.WriteFile(filepath.Join(dir, "run", "ready"), []byte(strconv.Itoa(os.Getpid())), 0o600)
	logLine("info", "API listen on "+strings.Join(o.hosts, " "))
	<-term
	logLine("info", "Processing signal 'terminated'")
	if !d.liveRestore {
		_ = d.stopContainers()
	}
	for _, s := range servers {
		_ = s.Close()
	}
	return 0
}

func fatal(err error) int {
	logLine("fatal", err.Error())
	return 1
}

// logLine writes dockerd's log format.
func logLine(level, msg string) {
	fmt.Fprintf(os.Stderr, "time=%q level=%s msg=%q\n", time.Now().UTC().Format(time.RFC3339Nano), level, msg)
}

// startFaults applies the guest's faults that act before dockerd serves.
func startFaults(dir string, o dockerdOptions, term <-chan os.Signal) error {
	if d, ok := Fault(dir, "dockerd-slow"); ok {
		wait, err := time.ParseDuration(d)
		if err != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-term:
			return errors.New("terminated while starting")
		}
	}
	if _, ok := Fault(dir, "dockerd-never"); ok {
		return errors.New("failed to start daemon: Error initializing network controller: lab fault")
	}
	if n, ok := Fault(dir, "dockerd-fail"); ok {
		left, _ := strconv.Atoi(n)
		if left > 1 {
			_ = SetFault(dir, "dockerd-fail", strconv.Itoa(left-1))
		} else {
			_ = ClearFault(dir, "dockerd-fail")
		}
		return errors.New("failed to start daemon: timeout waiting for containerd to start")
	}
	if want, ok := Fault(dir, "dockerd-only-cert"); ok {
		data, err := os.ReadFile(o.cert)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
			//lint:ignore ST1005 dockerd's words
			return fmt.Errorf("Could not load X509 key pair (cert: %q, key: %q): lab fault", o.cert, o.key)
		}
	}
	return nil
}

// listen opens and serves every -H.
func (d *engine) listen(o dockerdOptions) ([]*http.Server, error) {
	var config *tls.Config
	if o.verify {
		var err error
		if config, err = d.tlsConfig(o); err != nil {
			return nil, err
		}
	}
	var servers []*http.Server
	for _, h := range o.hosts {
		scheme, addr, _ := strings.Cut(h, "://")
		var ln net.Listener
		var err error
		switch scheme {
		case "unix":
			os.Remove(addr)
			ln, err = net.Listen("unix", addr)
		case "tcp":
			ln, err = d.listenTCP(addr, config)
		default:
			err = fmt.Errorf("invalid -H %q", h)
		}
		if err != nil {
			return nil, fmt.Errorf("failed to load listeners: %w", err)
		}
		s := &http.Server{Handler: d, ReadHeaderTimeout: time.Minute}
		servers = append(servers, s)
		go func() { _ = s.Serve(ln) }()
	}
	return servers, nil
}

// listenTCP opens a loopback port in place of the guest's port, and records it.
func (d *engine) listenTCP(addr string, config *tls.Config) (net.Listener, error) {
	defer showPorts(d.dir)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	own := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(filepath.Join(d.dir, "net", port), []byte(own), 0o600); err != nil {
		return nil, err
	}
	return &listener{Listener: ln, config: config, dir: d.dir}, nil
}

// listener is dockerd's TCP port with its faults: "dockerd-hang" accepts connections and never
// answers, "not-docker" speaks plain HTTP.
type listener struct {
	net.Listener
	config *tls.Config // nil: plain
	dir    string
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if _, on := Fault(l.dir, "dockerd-hang"); on {
			go func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			}()
			continue
		}
		if _, on := Fault(l.dir, "not-docker"); on || l.config == nil {
			return c, nil
		}
		return tls.Server(c, l.config), nil
	}
}

func (d *engine) tlsConfig(o dockerdOptions) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		//lint:ignore ST1005 dockerd's words
		return nil, fmt.Errorf("Could not load X509 key pair (cert: %q, key: %q): %w", o.cert, o.key, err)
	}
	ca, err := os.ReadFile(o.caCert)
	if err != nil {
		return nil, fmt.Errorf("could not read CA certificate %q: %w", o.caCert, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("failed to append certificates from PEM file: %q", o.caCert)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	if _, on := Fault(d.dir, "no-client-auth"); on {
		c.ClientAuth = tls.NoClientCert
	}
	if d.spec.OldTLS {
		c.MaxVersion = tls.VersionTLS12
	}
	c.Time = func() time.Time { return time.Now().Add(clockAhead(d.dir)) }
	return c, nil
}

func clockAhead(dir string) time.Duration {
	s, _ := Fault(dir, "clock")
	n, _ := strconv.Atoi(s)
	return time.Duration(n) * time.Second
}
