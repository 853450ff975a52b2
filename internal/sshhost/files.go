package sshhost

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

//go:embed write.sh
var writeScript string

// maxFile bounds what WriteFile sends: nothing on a docker host that this
// program writes is near it.
const maxFile = 1 << 20

// ReadFile reads with the login user's rights.
func (c *Client) ReadFile(ctx context.Context, path string) ([]byte, error) {
	return c.readFile(ctx, path, false)
}

// WriteFile replaces a file in one step with the login user's rights. The
// owner of an existing file is kept, and with perm 0 its mode too. The data
// goes over stdin, and a transfer that is cut changes nothing.
func (c *Client) WriteFile(ctx context.Context, path string, data []byte, perm fs.FileMode) error {
	return c.writeFile(ctx, path, data, perm, false)
}

// Remove deletes a file with the login user's rights.
func (c *Client) Remove(ctx context.Context, path string) error {
	return c.remove(ctx, path, false)
}

// AsRoot is the same computer on the same connection, with root's rights for
// every command and file. DialContext stays with the login user's.
func (c *Client) AsRoot() host.Host { return root{c} }

type root struct{ c *Client }

func (r root) OS() string { return r.c.OS() }
func (r root) Run(ctx context.Context, cmd host.Cmd) (host.Output, error) {
	cmd.Root = true
	return r.c.Run(ctx, cmd)
}
func (r root) ReadFile(ctx context.Context, path string) ([]byte, error) {
	return r.c.readFile(ctx, path, true)
}
func (r root) WriteFile(ctx context.Context, path string, data []byte, perm fs.FileMode) error {
	return r.c.writeFile(ctx, path, data, perm, true)
}
func (r root) Remove(ctx context.Context, path string) error { return r.c.remove(ctx, path, true) }
func (r root) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return r.c.DialContext(ctx, network, addr)
}

func (c *Client) readFile(ctx context.Context, path string, asRoot bool) ([]byte, error) {
	if err := checkPath("open", path); err != nil {
		return nil, err
	}
	out, err := c.Run(ctx, host.Cmd{Argv: []string{"cat", path}, Env: []string{"LC_ALL=C"}, Root: asRoot})
	if err != nil {
		return nil, fileError("open", path, err)
	}
	return out.Stdout, nil
}

func (c *Client) writeFile(ctx context.Context, path string, data []byte, perm fs.FileMode, asRoot bool) error {
	if err := checkPath("write", path); err != nil {
		return err
	}
	if len(data) > maxFile {
		return &fs.PathError{Op: "write", Path: path, Err: fmt.Errorf("%d bytes are too many", len(data))}
	}
	mode := "-"
	if perm != 0 {
		mode = strconv.FormatUint(uint64(perm.Perm()), 8)
	}
	_, err := c.Run(ctx, host.Cmd{
		Argv:  []string{"sh", "-c", writeScript, "sh", path, mode, strconv.Itoa(len(data))},
		Stdin: data, Root: asRoot,
	})
	return fileError("write", path, err)
}

func (c *Client) remove(ctx context.Context, path string, asRoot bool) error {
	if err := checkPath("remove", path); err != nil {
		return err
	}
	// Without -f: a file that is not there must be told from one that was. -i
	// would ask about a write-protected one, and so does rm with a terminal only.
	_, err := c.Run(ctx, host.Cmd{Argv: []string{"rm", path}, Env: []string{"LC_ALL=C"}, Root: asRoot})
	return fileError("remove", path, err)
}

func checkPath(op, path string) error {
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || strings.ContainsRune(path, 0) {
		return &fs.PathError{Op: op, Path: path, Err: fs.ErrInvalid}
	}
	return nil
}

// fileError gives a failed command the error that the operating system stands
// behind; the texts are those of strerror in the C locale.
func fileError(op, path string, err error) error {
	failed, ok := errors.AsType[*host.CmdError](err)
	if !ok || errors.Is(err, host.ErrNoSudo) {
		return err
	}
	text := oneLine(failed.Stderr)
	if text == "" {
		text = fmt.Sprintf("exit status %d", failed.Exit)
	}
	e := &fs.PathError{Op: op, Path: path, Err: errors.New(text)}
	for _, known := range []struct {
		says  string
		means error
	}{
		{"No such file or directory", fs.ErrNotExist},
		{"Permission denied", fs.ErrPermission},
		{"Operation not permitted", fs.ErrPermission},
		{"Read-only file system", ErrReadOnly},
		{"No space left on device", ErrNoSpace},
	} {
		if strings.Contains(text, known.says) {
			e.Err = fmt.Errorf("%w: %s", known.means, text)
			break
		}
	}
	return e
}

// What a docker host can be out of.
var (
	ErrReadOnly = errors.New("the file system is read-only")
	ErrNoSpace  = errors.New("the disk is full")
)
