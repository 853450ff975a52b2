//go:build e2e && linux

package hosts

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
)

// serve accepts connections until the scene ends.
func (s *scene) serve(ln net.Listener, each func(net.Conn)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				each(c)
				c.Close()
			})
		}
	})
	s.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

// unix listens on a socket that everyone may connect to.
func (s *scene) unix(name string) (net.Listener, string) {
	s.Helper()
	path := s.path(name)
	ln, err := net.Listen("unix", path)
	s.must(err)
	s.must(os.Chmod(path, 0o666))
	return ln, path
}

// silent is the server behind a listener that never answers.
func (s *scene) silent(c net.Conn) {
	_, _ = io.Copy(io.Discard, c)
	<-s.Context().Done() // the client may have closed its half alone
}

// Other servers.
func closing(net.Conn) {}
func saying(text string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, text)
		_, _ = io.Copy(io.Discard, c)
	}
}

// answering waits for a request.
func answering(text string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		saying(text)(c)
	}
}

// web serves HTTP.
func (s *scene) web(ln net.Listener, h http.HandlerFunc) {
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = srv.Serve(ln) }()
	s.Cleanup(func() { _ = srv.Close() })
}

// answers is a server that has one answer.
func answers(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// dockerd is one without containers, which supports no client before API 1.24.
func dockerd(api string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", api)
		w.Header().Set("Server", "Docker/1.0 (linux)")
		switch {
		case r.URL.Path == "/_ping":
			answers(http.StatusOK, "text/plain", "OK")(w, r)
		case strings.HasPrefix(r.URL.Path, "/v1.30/"):
			answers(http.StatusBadRequest, "application/json", `{"message":"client version 1.30 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version"}`)(w, r)
		case strings.HasSuffix(r.URL.Path, "/containers/json"):
			answers(http.StatusOK, "application/json", "[]")(w, r)
		default:
			answers(http.StatusNotFound, "application/json", `{"message":"page not found"}`)(w, r)
		}
	}
}

// full is a listener whose queue of connections is full.
func (s *scene) full(name string) string {
	s.Helper()
	path := s.path(name)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	s.must(err)
	s.Cleanup(func() { syscall.Close(fd) })
	s.must(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	s.must(syscall.Listen(fd, 0))
	for {
		c, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
		s.must(err)
		s.Cleanup(func() { syscall.Close(c) })
		if err := syscall.Connect(c, &syscall.SockaddrUnix{Name: path}); err == syscall.EAGAIN {
			return path
		} else if err != nil {
			s.Fatal(err)
		}
	}
}
