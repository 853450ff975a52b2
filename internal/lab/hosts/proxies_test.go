//go:build e2e && linux

package hosts

import (
	"io"
	"net"
	"net/http"
)

// proxy is an HTTP proxy, which refuses where dial is nil.
func (s *scene) proxy(dial func() (net.Conn, error)) (url string) {
	s.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.web(ln, func(w http.ResponseWriter, r *http.Request) {
		if dial == nil {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		far, err := dial()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer far.Close()
		w.WriteHeader(http.StatusOK)
		near, read, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		go func() {
			_, _ = io.Copy(far, read) // the server may have read the first byte already
			far.Close()
		}()
		_, _ = io.Copy(near, far)
	})
	return "http://" + ln.Addr().String()
}

// forwards is an HTTP proxy that forwards requests for build.invalid alone to a handler.
func (s *scene) forwards(to http.HandlerFunc) (url string) {
	s.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.web(ln, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "build.invalid:2375" { // not a request to a proxy
			http.Error(w, "no such host", http.StatusTeapot)
			return
		}
		to(w, r)
	})
	return "http://" + ln.Addr().String()
}
