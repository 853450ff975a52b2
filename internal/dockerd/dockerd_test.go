package dockerd

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/fakestore"
)

// pki is one CA with a certificate of each kind.
type pki struct {
	pool           *x509.CertPool
	ca             *x509.Certificate
	server, client tls.Certificate
}

// newPKI makes them as docker-machine does, with RSA keys of 2048 bits. Another name
// is another CA.
func newPKI(t testing.TB, name string) pki {
	t.Helper()
	key := rsaKey(t, name)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"ann"}}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	check(t, err)
	p := pki{pool: x509.NewCertPool()}
	p.ca, err = x509.ParseCertificate(der)
	check(t, err)
	p.pool.AddCert(p.ca)
	issue := func(slot string, use x509.ExtKeyUsage) tls.Certificate {
		own := rsaKey(t, slot)
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"},
			NotBefore: tmpl.NotBefore, NotAfter: tmpl.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{use}}, p.ca, own.Public(), key)
		check(t, err)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own}
	}
	p.server, p.client = issue("server", x509.ExtKeyUsageServerAuth), issue("client", x509.ExtKeyUsageClientAuth)
	return p
}

func rsaKey(t testing.TB, slot string) crypto.Signer {
	t.Helper()
	key, err := fakestore.Key(fakestore.RSA, slot)
	check(t, err)
	return key
}

func (p pki) config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{p.server}, ClientCAs: p.pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS10}
}

// listen serves on loopback until the test ends and counts connections.
func listen(t testing.TB, wrap func(net.Listener) net.Listener, serve func(net.Listener)) (addr string, accepted *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	counted := &counter{Listener: l}
	go serve(wrap(counted))
	return l.Addr().String(), &counted.n
}

type counter struct {
	net.Listener
	n atomic.Int32
}

func (c *counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

func plain(l net.Listener) net.Listener { return l }

func serveHTTP(h http.Handler) func(net.Listener) {
	return func(l net.Listener) {
		(&http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}).Serve(l)
	}
}

func dockerAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		io.WriteString(w, "OK")
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"ID":"AB:CD","ServerVersion":"20.10.5","LiveRestoreEnabled":true}`)
	})
	mux.HandleFunc("GET /containers/json", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `[{"Id":"0123456789abcdef","Names":["/other/link","/web"],"Image":"nginx","State":"running"},{"Id":"0123456789abcdef","Names":null}]`)
	})
	mux.HandleFunc("GET /containers/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(404)
		fmt.Fprintf(w, `{"message":"No such container: %s"}`, r.PathValue("id"))
	})
	mux.HandleFunc("GET /containers/old/json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "Docker/1.8.2 (linux)")
		http.Error(w, "no such id: old", 404)
	})
	mux.HandleFunc("GET /containers/web/json", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"Id":"0123456789abcdef","HostConfig":{"AutoRemove":true}}`)
	})
	mux.Handle("/v1.41/", http.StripPrefix("/v1.41", mux))
	return mux
}

func dialer(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", addr) }
}

// patience is for those who answer; who is silent has a moment.
const patience, moment = 30 * time.Second, 300 * time.Millisecond

// look is a handshake and a ping on one connection.
func look(t testing.TB, addr string, cert tls.Certificate, limit time.Duration) (s *Seen, api string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	conn, err := dialer(addr)(t.Context())
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	if s, err = Handshake(ctx, conn, TLS{ServerName: "localhost", Certificate: cert}); err != nil {
		return nil, "", err
	}
	api, err = s.Ping(ctx)
	return s, api, err
}

func TestLooking(t *testing.T) {
	mine, other := newPKI(t, "mine"), newPKI(t, "other")
	secured := func(change func(*tls.Config), h http.Handler) string {
		cfg := mine.config()
		if change != nil {
			change(cfg)
		}
		addr, _ := listen(t, func(l net.Listener) net.Listener { return tls.NewListener(l, cfg) }, serveHTTP(h))
		return addr
	}
	raw := func(serve func(net.Conn)) string {
		addr, _ := listen(t, plain, func(l net.Listener) {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		})
		return addr
	}
	// A connection that nobody holds on to is closed by the garbage collector.
	done := t.Context().Done()
	only := func(v uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MinVersion, c.MaxVersion = v, v }
	}
	answers := func(status int, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); io.WriteString(w, text) })
	}
	rejected := func(err error) bool { _, ok := errors.AsType[*RejectedError](err); return ok }
	notDocker := func(err error) bool { _, ok := errors.AsType[*NotDockerError](err); return ok }
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	plainAddr, _ := listen(t, plain, serveHTTP(dockerAPI()))
	for name, tt := range map[string]struct {
		addr    string
		cert    tls.Certificate
		version uint16
		err     func(error) bool
	}{
		"tls_1_3": {secured(nil, dockerAPI()), mine.client, tls.VersionTLS13, nil},
		"tls_1_2": {secured(only(tls.VersionTLS12), dockerAPI()), mine.client, tls.VersionTLS12, nil},
		// docker's client refuses it, too.
		"tls_1_1": {secured(only(tls.VersionTLS11), dockerAPI()), mine.client, 0, func(err error) bool { return strings.Contains(err.Error(), "protocol version") }},
		// docker 1.8.2, built with Go 1.4: pkg/tlsconfig/config.go has the suites.
		"dockerd_1_8": {secured(func(c *tls.Config) {
			only(tls.VersionTLS12)(c)
			c.CurvePreferences = []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521}
			c.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
		}, dockerAPI()), mine.client, tls.VersionTLS12, nil},
		"client_of_another_ca_in_tls_1_3": {secured(nil, dockerAPI()), other.client, tls.VersionTLS13, rejected},
		"client_of_another_ca_in_tls_1_2": {secured(only(tls.VersionTLS12), dockerAPI()), other.client, tls.VersionTLS12, rejected},
		"no_client_certificate":           {secured(nil, dockerAPI()), tls.Certificate{}, tls.VersionTLS13, rejected},
		"some_web_server":                 {secured(nil, answers(200, "<html>welcome</html>")), mine.client, tls.VersionTLS13, notDocker},
		"web_server_without_ping":         {secured(nil, answers(404, "OK")), mine.client, tls.VersionTLS13, notDocker},
		"dockerd_that_complains": {secured(nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", "Docker/20.10.5 (linux)")
			w.WriteHeader(403)
			io.WriteString(w, `{"message":"authorization denied by plugin opa"}`)
		})), mine.client, tls.VersionTLS13, func(err error) bool {
			e, ok := errors.AsType[*APIError](err)
			return ok && *e == APIError{Path: "/_ping", Status: 403, Message: "authorization denied by plugin opa"}
		}},
		"another_api_that_complains": {secured(nil, answers(403, `{"kind":"Status","message":"forbidden"}`)), mine.client, tls.VersionTLS13, notDocker},
		"endless_answer":             {secured(nil, answers(200, strings.Repeat("OK", 1<<20))), mine.client, tls.VersionTLS13, notDocker},
		"without_tls":                {plainAddr, mine.client, 0, is(ErrNotTLS)},
		"ssh":                        {raw(func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_7.2\r\n"); <-done; c.Close() }), mine.client, 0, is(ErrNotTLS)},
		"silent":                     {raw(func(c net.Conn) { <-done; c.Close() }), mine.client, 0, is(context.DeadlineExceeded)},
		"closes":                     {raw(func(c net.Conn) { c.Read(make([]byte, 4096)); c.Close() }), mine.client, 0, is(io.EOF)},
		"speaks_tls_then_not_http": {raw(func(c net.Conn) {
			s := tls.Server(c, mine.config())
			s.Read(make([]byte, 4096))
			io.WriteString(s, "220 mail ready\r\n")
			<-done
			c.Close()
		}), mine.client, tls.VersionTLS13, notDocker},
		"silent_after_tls": {raw(func(c net.Conn) { tls.Server(c, mine.config()).Handshake(); <-done; c.Close() }), mine.client, tls.VersionTLS13, is(context.DeadlineExceeded)},
		"certificate_that_is_none": {secured(func(c *tls.Config) {
			bad := mine.server
			bad.Certificate = [][]byte{[]byte("\x30\x03abc")}
			c.Certificates = []tls.Certificate{bad}
		}, dockerAPI()), mine.client, 0, is(ErrBadCertificate)},
		"ciphers_that_docker_does_not_have": {secured(func(c *tls.Config) {
			only(tls.VersionTLS12)(c)
			c.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA}
		}, dockerAPI()), mine.client, 0, func(err error) bool { return strings.Contains(err.Error(), "handshake failure") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := patience
			if strings.HasPrefix(name, "silent") {
				limit = moment
			}
			s, api, err := look(t, tt.addr, tt.cert, limit)
			t.Log(err)
			switch {
			case tt.err == nil && (err != nil || api != "1.41"):
				t.Errorf("api %q, %v", api, err)
			case tt.err != nil && (err == nil || !tt.err(err)):
				t.Errorf("got %T: %v", err, err)
			}
			if tt.version == 0 {
				if s != nil {
					t.Errorf("seen %+v", s)
				}
				return
			}
			if s == nil {
				t.Fatal("nothing was seen")
			}
			leaf, err := x509.ParseCertificate(mine.server.Certificate[0])
			check(t, err)
			if s.Version != tt.version || !s.Leaf.Equal(leaf) || len(s.Chain) != 1 || !s.ClientAuth {
				t.Errorf("version %x, leaf %v, chain of %d, client certificate wanted %v", s.Version, s.Leaf.Subject, len(s.Chain), s.ClientAuth)
			}
			if diff := cmp.Diff([][]byte{mine.ca.RawSubject}, s.AcceptableCAs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNobodyAsksForAClientCertificate(t *testing.T) {
	p := newPKI(t, "mine")
	cfg := p.config()
	cfg.ClientAuth = tls.NoClientCert
	addr, _ := listen(t, func(l net.Listener) net.Listener { return tls.NewListener(l, cfg) }, serveHTTP(dockerAPI()))
	s, _, err := look(t, addr, p.client, patience)
	check(t, err)
	if s.ClientAuth {
		t.Error("a client certificate was asked for")
	}
}

func TestOneConnectionForHandshakeAndPing(t *testing.T) {
	p := newPKI(t, "mine")
	addr, n := listen(t, func(l net.Listener) net.Listener { return tls.NewListener(l, p.config()) }, serveHTTP(dockerAPI()))
	_, _, err := look(t, addr, p.client, patience)
	check(t, err)
	if n.Load() != 1 {
		t.Errorf("%d connections", n.Load())
	}
}

func TestClient(t *testing.T) {
	t.Run("answers", func(t *testing.T) {
		addr, _ := listen(t, plain, serveHTTP(dockerAPI()))
		c, ctx := New(dialer(addr)), t.Context()
		info, err := c.Info(ctx)
		check(t, err)
		containers, err := c.Containers(ctx)
		check(t, err)
		web, err := c.Inspect(ctx, "web")
		check(t, err)
		same(t, Info{"20.10.5", true}, info)
		same(t, []string{"web", "0123456789ab"}, []string{containers[0].Name(), containers[1].Name()})
		same(t, true, web.HostConfig.AutoRemove)
		_, err = c.Inspect(ctx, "a/b")
		same(t, error(&APIError{"/containers/a%2Fb/json", 404, "No such container: a/b"}), err)
		_, err = c.Inspect(ctx, "old")
		same(t, error(&APIError{"/containers/old/json", 404, "no such id: old"}), err)
	})
	t.Run("too_much", func(t *testing.T) {
		addr, _ := listen(t, plain, serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write(bytes.Repeat([]byte(" "), maxBody+10))
		})))
		_, err := New(dialer(addr)).Info(t.Context())
		if _, ok := errors.AsType[*NotDockerError](err); !ok {
			t.Error(err)
		}
	})
}

// Daemons refuse versions that are too old and too new for them, and may refuse a path
// without one.
func TestAPIVersionIsNegotiated(t *testing.T) {
	for name, tt := range map[string]struct{ oldest, newest, named, path string }{
		"docker_29":                          {"1.44", "1.52", "1.52", "/v1.52/info"},
		"docker_of_the_future":               {"1.70", "1.99", "1.99", "/v1.99/info"},
		"boot2docker_19.03":                  {"1.12", "1.40", "1.40", "/v1.40/info"},
		"docker_1.12_does_not_name_its_own":  {"1.12", "1.24", "", "/info"},
		"a_proxy_answers_with_something_odd": {"1.12", "1.24", "../x", "/info"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			addr, _ := listen(t, plain, serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.Path)
				w.Header().Set("Server", "Docker/x (linux)")
				if tt.named != "" {
					w.Header().Set("Api-Version", tt.named)
				}
				if r.URL.Path == "/_ping" {
					w.Write([]byte("OK"))
					return
				}
				version, _, versioned := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
				switch {
				case !strings.HasPrefix(r.URL.Path, "/v1."):
					if tt.path != "/info" {
						http.Error(w, `{"message":"the path has no version"}`, http.StatusBadRequest)
						return
					}
				case !versioned || version < tt.oldest || version > tt.newest:
					http.Error(w, `{"message":"client version `+version+` is not supported"}`, http.StatusBadRequest)
					return
				}
				w.Write([]byte(`{"ServerVersion":"x"}`))
			})))
			c := New(dialer(addr))
			for range 2 {
				info, err := c.Info(t.Context())
				check(t, err)
				same(t, Info{ServerVersion: "x"}, info)
			}
			same(t, []string{"/_ping", tt.path, tt.path}, asked)
		})
	}
}

// Who speaks before the request is not dockerd, also one that waits for an answer then.
func TestGreetings(t *testing.T) {
	for name, greeting := range map[string]string{"a line": "SSH-2.0-OpenSSH_9.2\r\n", "no line": "J\x00\x00\x00\x0a8.0.36\x00", "a byte": "\x05"} {
		for _, closes := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, closes %v", name, closes), func(t *testing.T) {
				addr, _ := listen(t, plain, func(l net.Listener) {
					c, err := l.Accept()
					if err != nil {
						return
					}
					io.WriteString(c, greeting)
					if !closes {
						<-t.Context().Done()
					}
					c.Close()
				})
				conn, err := dialer(addr)(t.Context())
				check(t, err)
				defer conn.Close()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err = Ping(ctx, conn, PingRequest)
				if _, ok := errors.AsType[*NotDockerError](err); !ok {
					t.Errorf("%T: %v", err, err)
				}
			})
		}
	}
}

// An HTTP proxy gets whole URLs.
func TestThroughProxy(t *testing.T) {
	var asked []string
	addr, _ := listen(t, plain, serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		w.Header().Set("Api-Version", "1.41")
		if r.URL.Path == "/_ping" {
			io.WriteString(w, "OK")
			return
		}
		io.WriteString(w, "[]")
	})))
	c := New(dialer(addr))
	c.ThroughProxy("build:2375")
	_, err := c.Containers(t.Context())
	check(t, err)
	conn, err := dialer(addr)(t.Context())
	check(t, err)
	defer conn.Close()
	api, err := Ping(t.Context(), conn, ProxyPing("build:2375"))
	check(t, err)
	same(t, "1.41", api)
	same(t, []string{"http://build:2375/_ping", "http://build:2375/v1.41/containers/json", "http://build:2375/_ping"}, asked)
}

// Whatever a server says after the handshake, Ping ends with an answer or an error.
func FuzzPing(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK", "HTTP/1.0 400 Bad\r\n\r\n", "SSH-2.0-x\r\n", "",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nOK",
	} {
		f.Add([]byte(s))
	}
	p := newPKI(f, "mine")
	f.Fuzz(func(t *testing.T, answer []byte) {
		here, there := net.Pipe()
		defer here.Close()
		go func() {
			s := tls.Server(there, p.config())
			if s.Handshake() == nil {
				s.Read(make([]byte, 4096))
				s.Write(answer)
			}
			s.Close()
			there.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s, err := Handshake(ctx, here, TLS{Certificate: p.client})
		if err != nil {
			t.Fatal(err)
		}
		api, err := s.Ping(ctx)
		if err == nil && !bytes.Contains(answer, []byte("OK")) || err != nil && api != "" {
			t.Errorf("%q: %q, %v", answer, api, err)
		}
	})
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
