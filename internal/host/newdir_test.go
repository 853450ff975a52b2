package host

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func setOfFiles() []NewFile {
	return []NewFile{{"a.pem", []byte("public\n"), 0o644}, {"a-key.pem", []byte("secret\n"), 0o600}, {"b-key.pem", make([]byte, 100<<10), 0o600}}
}

// whole reports whether a directory is there, with all files as they should be.
func whole(t *testing.T, dir string) bool {
	t.Helper()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(setOfFiles()) {
		t.Fatalf("%s has %v, %v", dir, entries, err)
	}
	for _, f := range setOfFiles() {
		path := filepath.Join(dir, f.Name)
		data, err := os.ReadFile(path)
		if err != nil || string(data) != string(f.Data) {
			t.Errorf("%s has %d bytes: %v", path, len(data), err)
		}
		if mode, err := Mode(path); err != nil || mode != f.Perm {
			t.Errorf("%s has mode %v, want %v: %v", path, mode, f.Perm, err)
		}
	}
	return true
}

func TestNewDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "certs")
	for _, prepare := range []func() error{
		func() error { return nil },
		func() error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) },
	} {
		if err := errors.Join(prepare(), NewDir(dir, 0o700, setOfFiles())); err != nil {
			t.Fatal(err)
		}
		if !whole(t, dir) {
			t.Error("it is not there")
		}
		if mode, err := Mode(dir); err != nil || mode != fs.ModeDir|0o700 {
			t.Errorf("mode %v, %v", mode, err)
		}
	}
	other := []NewFile{{"a.pem", []byte("other"), 0o644}}
	if err := NewDir(dir, 0o700, other); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a directory that is not empty: %v", err)
	}
	whole(t, dir)
	file := filepath.Join(dir, "a.pem")
	if err := NewDir(file, 0o700, other); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// Killed at any instant it has made everything or nothing, and what is left beside it, which
// only its owner may read, is gone after the next run.
func TestNewDirKilled(t *testing.T) {
	if dir := os.Getenv("NEWDIR"); dir != "" {
		if err := NewDir(dir, 0o700, setOfFiles()); err != nil {
			t.Fatal(err)
		}
		os.Exit(0)
	}
	var there int
	const rounds = 40
	dir := filepath.Join(t.TempDir(), "certs")
	next := filepath.Join(filepath.Dir(dir), ".certs.new")
	for range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNewDirKilled$")
		cmd.Env = append(os.Environ(), "NEWDIR="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		began := make(chan struct{})
		go func() { // kill it from the moment that it begins to write
			defer close(began)
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
				if _, err := os.Lstat(next); err == nil {
					break
				}
				if _, err := os.Lstat(dir); err == nil {
					break
				}
			}
		}()
		<-began
		time.Sleep(time.Duration(rand.IntN(30000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if mode, err := Mode(next); err == nil && mode.Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", next, mode)
		}
		if whole(t, dir) {
			there++
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("complete in %d of %d rounds", there, rounds)
	if err := NewDir(dir, 0o700, setOfFiles()); err != nil {
		t.Fatal(err)
	}
	whole(t, dir)
	if _, err := os.Lstat(next); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left", next)
	}
}
