//go:build e2e && linux

package e2e

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// What a container echoes on several streams at once is what was sent: 10 GB in make soak, half of
// them each way.
func TestSoakPortsChecksums(t *testing.T) {
	const streams = 8
	size := int64(64 << 20)
	if soaking() {
		size = 10 << 30
	}
	s := publishing(t)
	chance := seeded(t)
	_, err := s.vm.Docker(s.ctx(), "run", "-d", "--name", "echo", "-p", "8080:80", "busybox", "nc", "-ll", "-p", "80", "-e", "cat")
	s.must(err)
	f := s.portsFollow()
	f.await("+ 8080/tcp echo")
	began := time.Now()
	var all sync.WaitGroup
	var sums [][2]hash.Hash // of what was sent, and of what came back
	for range streams {
		conn, err := s.lab.Laptop().Dial(s.ctx(), "127.0.0.1:8080")
		s.must(err)
		defer conn.Close()
		var seed [32]byte
		for i := range seed {
			seed[i] = byte(chance.Uint32())
		}
		sent, got := sha256.New(), sha256.New()
		all.Go(func() {
			_, err := io.CopyN(io.MultiWriter(conn, sent), rand.NewChaCha8(seed), size/streams/2)
			if err == nil {
				err = conn.(*net.TCPConn).CloseWrite()
			}
			if err != nil {
				t.Errorf("sending: %v", err)
			}
		})
		all.Go(func() {
			if n, err := io.Copy(got, conn); err != nil || n != size/streams/2 {
				t.Errorf("received %d bytes: %v", n, err)
			}
		})
		sums = append(sums, [2]hash.Hash{sent, got})
	}
	all.Wait()
	for _, sum := range sums {
		if !bytes.Equal(sum[0].Sum(nil), sum[1].Sum(nil)) {
			t.Error("what came back is not what was sent")
		}
	}
	t.Logf("%d MiB in %s", size>>20, time.Since(began).Round(time.Second))
}
