// Package vpn runs a VPN of the AnyConnect kind for real: ocserv as the company's
// gateway, openconnect as the client on the laptop.
package vpn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/await"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/cgroup"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/netns"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/lab/process"
)

// Device is the tunnel's name on the laptop, as macOS would call it.
const Device = "utun0"

const user, password = "lab", "lab"

// VPN is a gateway and a client.
type VPN struct {
	Dir string // state, keys, logs
	// Gateway is the address of ocserv in the namespace Outside.
	Gateway         netip.Addr
	Outside, Laptop netns.NS
	Group           cgroup.Group
	// Script is the program that openconnect calls as `Script vpn-script MODE`
	// when the tunnel comes and goes; see Hook.
	Script string
	// Routes are the networks that the gateway sends into the tunnel.
	Routes []netip.Prefix
}

// Start runs the gateway. Packets that come out of the tunnel end there: the
// namespace forwards nothing.
func (v *VPN) Start(ctx context.Context) error {
	if err := os.MkdirAll(v.Dir, 0o700); err != nil {
		return err
	}
	if err := v.certificate(); err != nil {
		return fmt.Errorf("making the VPN gateway's certificate: %w", err)
	}
	add := exec.CommandContext(ctx, "ocpasswd", "-c", v.path("passwd"), user)
	add.Stdin = strings.NewReader(password + "\n" + password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		return fmt.Errorf("ocpasswd: %w: %s", err, out)
	}
	if err := os.WriteFile(v.path("ocserv.conf"), []byte(v.config()), 0o600); err != nil {
		return err
	}
	cmd := v.Outside.Command(context.Background(), "ocserv", "--foreground", "--config", v.path("ocserv.conf"))
	cmd.Dir = v.Dir
	if err := v.gateway().Spawn(cmd, v.Group, v.path("ocserv.log")); err != nil {
		return fmt.Errorf("starting ocserv: %w", err)
	}
	err := await.Until(ctx, "ocserv to listen", func() (bool, error) {
		conn, err := v.Outside.Dial(ctx, netip.AddrPortFrom(v.Gateway, 443).String())
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	})
	return v.withLog(err, "ocserv.log")
}

func (v *VPN) config() string {
	lines := []string{
		`auth = "plain[passwd=` + v.path("passwd") + `]"`,
		"listen-host = " + v.Gateway.String(),
		"tcp-port = 443",
		"socket-file = " + v.path("socket"),
		"pid-file = " + v.path("pid"),
		"server-cert = " + v.path("cert.pem"),
		"server-key = " + v.path("key.pem"),
		"run-as-user = root",
		"run-as-group = root",
		"isolate-workers = false",
		"use-occtl = false",
		"max-ban-score = 0",
		"device = vpns",
		"ipv4-network = 198.18.0.0", // for benchmarks and labs (RFC 2544)
		"ipv4-netmask = 255.255.255.0",
		"ping-leases = false",
		"cisco-client-compat = true",
		"keepalive = 300",
		"try-mtu-discovery = false",
	}
	for _, r := range v.Routes {
		lines = append(lines, "route = "+r.Masked().String())
	}
	return strings.Join(lines, "\n") + "\n"
}

// Connect brings the tunnel up and returns when the routes are in place. A clean
// client puts the route that it took back when it leaves; one that is not, as
// AnyConnect is not (docker/machine#1500), leaves no route at all.
func (v *VPN) Connect(ctx context.Context, clean bool) error {
	if v.client().PID() != 0 {
		return errors.New("the VPN is connected already")
	}
	pin, err := os.ReadFile(v.path("pin"))
	if err != nil {
		return err
	}
	mode := "rude"
	if clean {
		mode = "clean"
	}
	done := v.path("connected")
	if err := os.Remove(done); err != nil && !os.IsNotExist(err) {
		return err
	}
	cmd := v.Laptop.Command(context.Background(), "openconnect", "--protocol=anyconnect", "--interface="+Device, "--no-dtls",
		"--user="+user, "--passwd-on-stdin", "--servercert=sha256:"+string(pin), "--non-inter",
		"--script="+v.Script+" vpn-script "+mode+" "+done, "https://"+v.Gateway.String())
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := v.client().Spawn(cmd, v.Group, v.path("openconnect.log")); err != nil {
		return fmt.Errorf("starting openconnect: %w", err)
	}
	_, err = in.Write([]byte(password + "\n"))
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	err = await.Until(ctx, "openconnect to connect", func() (bool, error) {
		_, err := os.Stat(done)
		return err == nil, err
	})
	return v.withLog(err, "openconnect.log")
}

// Connected reports whether the client runs.
func (v *VPN) Connected() bool { return v.client().PID() != 0 }

// Disconnect ends the client in an orderly way and waits until the tunnel is gone.
func (v *VPN) Disconnect(ctx context.Context) error {
	return v.withLog(v.end(ctx, syscall.SIGINT), "openconnect.log")
}

// Crash ends the client without giving it a chance to clean up.
func (v *VPN) Crash(ctx context.Context) error { return v.end(ctx, syscall.SIGKILL) }

func (v *VPN) end(ctx context.Context, sig syscall.Signal) error {
	if err := v.client().Signal(ctx, sig); err != nil {
		return err
	}
	return await.Until(ctx, "tunnel "+Device+" to go", func() (bool, error) {
		return v.Laptop.IP(ctx, "link show dev "+Device) != nil, nil
	})
}

func (v *VPN) path(name string) string { return filepath.Join(v.Dir, name) }
func (v *VPN) client() process.File    { return process.File(v.path("openconnect.pid")) }
func (v *VPN) gateway() process.File   { return process.File(v.path("ocserv.pid")) }

func (v *VPN) withLog(err error, name string) error {
	if err == nil {
		return nil
	}
	log, _ := os.ReadFile(v.path(name))
	return fmt.Errorf("%w\n%s:\n%s", err, name, log)
}

// certificate writes the gateway's self-signed certificate, its key and the pin
// by which the client knows it.
func (v *VPN) certificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vpn.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		DNSNames: []string{"vpn.example.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	sum := sha256.Sum256(spki)
	return errors.Join(
		os.WriteFile(v.path("cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
		os.WriteFile(v.path("key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600),
		os.WriteFile(v.path("pin"), []byte(hex.EncodeToString(sum[:])), 0o644),
	)
}
