package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/proxy"
)

// proxyFlags are the flags of proxy and proxy on.
type proxyFlags struct {
	listen        string
	certs         string // the directory of proxy init
	cert, key, ca string
	allowCN       []string
	allowFile     string
	readOnly      bool
	most          int
	check         bool
}

// register adds the flags that proxy and proxy on share.
func (f *proxyFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:4242", "listen on `ADDRESS:PORT`")
	flags.StringVar(&f.certs, "certs", "", "use ca.pem, server.pem and server-key.pem in `DIR`, as proxy init creates them")
	flags.StringVar(&f.cert, "cert", "", "PEM `FILE` with the server certificate and its chain")
	flags.StringVar(&f.key, "key", "", "PEM `FILE` with the key of the server certificate")
	flags.StringVar(&f.ca, "ca", "", "PEM `FILE` with the CA that signs client certificates")
	flags.StringSliceVar(&f.allowCN, "allow-cn", nil, "let in only clients with these common `NAMES`, such as ci,backup")
	flags.StringVar(&f.allowFile, "allow-cn-file", "", "let in only clients whose common names are in `FILE`, one per line")
	flags.BoolVar(&f.readOnly, "read-only", false, "let only GET and HEAD requests through")
	flags.IntVar(&f.most, "max-connections", 1024, "serve at most `N` connections at once; more wait up to 10 s")
}

// checkProxyFlags checks the flags, and sets cert, key and ca if --certs is given.
func (a *app) checkProxyFlags(cmd *cobra.Command, f *proxyFlags) error {
	single := f.cert != "" || f.key != "" || f.ca != ""
	switch {
	case f.certs == "" && !single:
		return misused(hint.Own("proxy", "init", "./certs"), "proxy needs certificates: --certs DIR, or --cert, --key and --ca")
	case f.certs != "" && single:
		return misused(a.helpOf(cmd), "--certs cannot be used together with --cert, --key and --ca")
	case f.certs == "" && (f.cert == "" || f.key == "" || f.ca == ""):
		return misused(a.helpOf(cmd), "--cert, --key and --ca must be given together")
	case f.most < 1:
		return misused(a.helpOf(cmd), "--max-connections must be at least 1, not %d", f.most)
	}
	if f.certs != "" {
		f.cert, f.key, f.ca = filepath.Join(f.certs, "server.pem"), filepath.Join(f.certs, "server-key.pem"), filepath.Join(f.certs, "ca.pem")
	}
	if name, port, err := net.SplitHostPort(f.listen); err != nil || port == "" || name == "" {
		return misused(a.corrected(f.listen, "127.0.0.1:4242"), "--listen takes ADDRESS:PORT, such as 127.0.0.1:4242, not %q", f.listen)
	}
	return nil
}

// credentials reads the certificates and the list of clients.
func (a *app) credentials(f *proxyFlags) (*proxy.Credentials, error) {
	computer := a.Laptop(host.Sudo{})
	var data [3][]byte
	for i, path := range []string{f.cert, f.key, f.ca} {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		if data[i], err = computer.ReadFile(a.ctx, abs); err != nil {
			return nil, err
		}
	}
	switch mode, err := host.Mode(f.key); {
	case err != nil:
		return nil, err
	case mode.Perm()&0o007 != 0:
		return nil, &exitError{code: exitProblems, message: fmt.Sprintf("%s: every user of this computer can read the server's key (mode %#o)", f.key, mode.Perm()),
			hint: hint.Run("chmod", "600", f.key)}
	}
	allow, err := a.allowedNames(computer, f)
	if err != nil {
		return nil, err
	}
	return proxy.NewCredentials(data[0], data[1], data[2], allow, a.Now())
}

// allowedNames returns the common names of the clients that are let in; nil lets in all.
func (a *app) allowedNames(computer host.Laptop, f *proxyFlags) ([]string, error) {
	allow := slices.Clone(f.allowCN)
	if f.allowFile == "" {
		return allow, nil
	}
	path, err := filepath.Abs(f.allowFile)
	if err != nil {
		return nil, err
	}
	text, err := computer.ReadFile(a.ctx, path)
	if err != nil {
		return nil, err
	}
	if allow == nil {
		allow = []string{} // an empty file lets in no client
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			allow = append(allow, line)
		}
	}
	return allow, nil
}

// noCredentials adds exit status and hint to the reason why the certificates cannot be used.
func (a *app) noCredentials(f *proxyFlags, err error) error {
	var known *exitError
	if errors.As(err, &known) {
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) && errors.Is(err, fs.ErrPermission) {
		return err // it gets a hint that lists the file's permissions
	}
	next := hint.Run("openssl", "x509", "-in", f.cert, "-noout", "-text")
	if f.certs != "" && !a.exists(f.certs) {
		next = hint.Own("proxy", "init", f.certs)
	}
	return &exitError{code: exitProblems, message: err.Error(), hint: next}
}

func (a *app) exists(path string) bool {
	_, err := host.Mode(path)
	return err == nil
}
