package target

import "testing"

// docker's own choice, seen with docker 20.10 and 28.2 and a proxy that logs.
func TestProxyOfAnEndpoint(t *testing.T) {
	const secure, open = "http://secure:3128", "http://open:3128"
	both := map[string]string{"HTTPS_PROXY": secure, "HTTP_PROXY": open}
	with := func(more ...string) map[string]string {
		env := map[string]string{"HTTPS_PROXY": secure, "HTTP_PROXY": open}
		for i := 0; i < len(more); i += 2 {
			env[more[i]] = more[i+1]
		}
		return env
	}
	for _, tt := range []struct {
		name, addr string
		tls        bool
		env        map[string]string
		want       string
	}{
		{"TLS", "build.example.com:2376", true, both, secure},
		{"plain", "build.example.com:2375", false, both, open},
		{"plain, and a proxy for TLS alone", "build.example.com:2375", false, map[string]string{"HTTPS_PROXY": secure}, ""},
		{"in lower case", "build.example.com:2375", false, map[string]string{"http_proxy": open}, open},
		{"without http://", "build.example.com:2375", false, map[string]string{"HTTP_PROXY": "open:3128"}, open},
		{"localhost", "localhost:2375", false, both, ""},
		{"loopback", "127.0.0.2:2376", true, both, ""},
		{"excepted", "build.example.com:2376", true, with("NO_PROXY", "localhost,.example.com"), ""},
		{"excepted with its port", "build.example.com:2376", true, with("no_proxy", "build.example.com:2376"), ""},
		{"excepted with another port", "build.example.com:2376", true, with("NO_PROXY", "build.example.com:443"), secure},
	} {
		got := proxyFor(func(name string) string { return tt.env[name] }, TCPEndpoint{Addr: tt.addr, TLS: tt.tls})
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAProxysPasswordIsNotShown(t *testing.T) {
	e := TCPEndpoint{Proxy: "http://ann:secret@proxy:3128"}
	if got := e.ProxyName(); got != "http://ann:xxxxx@proxy:3128" {
		t.Errorf("%q", got)
	}
	// A proxy that cannot be parsed has the name of its variable: every sentence reads with it.
	for tls, want := range map[bool]string{true: "HTTPS_PROXY", false: "HTTP_PROXY"} {
		e := TCPEndpoint{Proxy: "http://ann:sec%ret@proxy:3128", TLS: tls}
		if got := e.ProxyName(); got != want {
			t.Errorf("TLS %v: %q, want %q", tls, got, want)
		}
	}
}
