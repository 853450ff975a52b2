package host

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// status is what a file must keep.
type status struct {
	Mode     os.FileMode
	UID, GID int
	Text     string
}

func statusOf(t *testing.T, path string) status {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	s := status{Mode: info.Mode(), UID: int(stat.Uid), GID: int(stat.Gid)}
	if info.Mode().IsRegular() {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.Text = string(text)
	}
	return s
}

// someone's home directory: another user's where the test is run by root, whose sudo
// kept HOME; else the user's own.
func home(t *testing.T) (dir string, uid, gid int) {
	t.Helper()
	dir, uid, gid = t.TempDir(), os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 12345, 23456
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir, uid, gid
}

func TestFilesBelongToWhomTheirDirectoryDoes(t *testing.T) {
	dir, uid, gid := home(t)
	l := NewLocal(Sudo{})
	state := filepath.Join(dir, ".local", "state")
	if err := l.WriteFile(t.Context(), filepath.Join(dir, "new"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.MkdirAll(t.Context(), state, 0o700); err != nil {
		t.Fatal(err)
	}
	unlock, err := l.Lock(t.Context(), filepath.Join(state, "machines", "lock"), nil)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := l.WriteFile(t.Context(), filepath.Join(state, "journal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]status{
		"new":                        {0o600, uid, gid, "new"},
		".local":                     {os.ModeDir | 0o700, uid, gid, ""},
		".local/state":               {os.ModeDir | 0o700, uid, gid, ""},
		".local/state/machines":      {os.ModeDir | 0o700, uid, gid, ""},
		".local/state/machines/lock": {0o600, uid, gid, ""},
		".local/state/journal":       {0o600, uid, gid, ""},
	}
	got := map[string]status{}
	for name := range want {
		got[name] = statusOf(t, filepath.Join(dir, name))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// config.json may be a link into a directory that is kept elsewhere.
func TestReplacedFileStaysWhatItIs(t *testing.T) {
	dir, uid, gid := home(t)
	path, link := filepath.Join(dir, "config.json"), filepath.Join(dir, "link.json")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("config.json", link); err != nil {
		t.Fatal(err)
	}
	if err := NewLocal(Sudo{}).WriteFile(t.Context(), link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(status{0o640, uid, gid, "new"}, statusOf(t, path)); diff != "" {
		t.Error(diff)
	}
	if got := statusOf(t, link); got.Mode&os.ModeSymlink == 0 {
		t.Errorf("the link has become %v", got.Mode)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v %v", entries, err)
	}
}

func TestDirectoryWhereAFileIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{path, filepath.Join(path, "below")} {
		if err := makeDir(dir, 0o700); err == nil {
			t.Errorf("%s was made", dir)
		} else if want := "mkdir " + path + ": not a directory"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

// Whether a port is free is asked while VirtualBox may be about to listen there.
func TestAskingForAPortTakesItFromNobody(t *testing.T) {
	l := NewLocal(Sudo{})
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if use, err := l.PortUse(t.Context(), port); use != PortTaken || err != nil {
		t.Errorf("with a listener: %v %v", use, err)
	}
	ln.Close()
	if use, err := l.PortUse(t.Context(), port); use != PortFree || err != nil {
		t.Errorf("without a listener: %v %v", use, err)
	}
	if runtime.GOOS != Linux {
		return // elsewhere a bound socket is in the way for some microseconds
	}
	ctx, stop := context.WithCancel(t.Context())
	var asked sync.WaitGroup
	for range 4 {
		asked.Go(func() {
			for ctx.Err() == nil {
				if _, err := l.PortUse(ctx, port); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for range 300 {
		ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Error(err)
			break
		}
		ln.Close()
	}
	stop()
	asked.Wait()
}

func TestAppendReplacesWhatLiesBehind(t *testing.T) {
	l, path := NewLocal(Sudo{}), filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte("one\ntw"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		size int64
		data string
		want string
	}{
		{4, "two\n", "one\ntwo\n"},
		{8, "3\n", "one\ntwo\n3\n"},
		{4, "", "one\n"},
	} {
		if err := l.Append(t.Context(), path, tt.size, []byte(tt.data)); err != nil {
			t.Fatal(err)
		}
		if got := statusOf(t, path).Text; got != tt.want {
			t.Errorf("%q at %d: %q, want %q", tt.data, tt.size, got, tt.want)
		}
	}
	if err := l.Append(t.Context(), path, 5, []byte("two\n")); err == nil || statusOf(t, path).Text != "one\n" {
		t.Errorf("behind the end: %v, %q", err, statusOf(t, path).Text)
	}
	if err := l.Append(t.Context(), path+"2", 0, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
