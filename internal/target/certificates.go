package target

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
)

// Certificate is a certificate, or why it could not be read.
type Certificate struct {
	Cert *x509.Certificate
	Err  error
}

// Certificates are the server certificate in each of its places, docker's client certificate, and
// the machine CA's.
type Certificates struct {
	Answer                          endpoint.Answer // the answer that showed Served
	Served, Disk, Store, Client, CA Certificate
}

// Certificates reads the certificates from all places. For the docker host's disk it logs in.
func (t *Target) Certificates(ctx context.Context) Certificates {
	var c Certificates
	c.Store.Cert, c.Store.Err = t.Endpoints.StoreCert(ctx)
	c.Client.Cert, c.Client.Err = t.Endpoints.ClientCert(ctx)
	if cas, err := t.Endpoints.CAs(ctx); err == nil {
		c.CA.Cert = cas[0]
	} else {
		c.CA.Err = err
	}
	if running, err := t.VM.Running(ctx); err != nil || !running {
		if err == nil {
			err = errors.New("the VM is not running")
		}
		c.Served.Err, c.Disk.Err = err, err
		return c
	}
	c.Answer = t.Endpoints.Served(ctx, t.Endpoints.ForDocker(ctx))
	if c.Served.Cert = c.Answer.Leaf; c.Served.Cert == nil {
		c.Served.Err = errors.Join(c.Answer.DialErr, c.Answer.TLSErr)
	} else if c.Answer.Identity == endpoint.Other {
		c.Served = Certificate{Err: errors.New(c.Answer.Endpoint.URL() + " answers, and it is not this machine")}
	}
	facts, err := t.Guest.Facts(ctx)
	if err != nil {
		c.Disk.Err = err
		return c
	}
	c.Disk.Cert, c.Disk.Err = certs.ParseCert(facts.Cert.Data)
	return c
}
