package fakestore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"sync"
)

// Algorithm is a kind of key pair. docker-machine makes only RSA keys (docker/machine b170508b,
// libmachine/cert/cert.go); users bring ECDSA CAs.
type Algorithm string

const (
	RSA   Algorithm = "rsa"   // 2048 bits, as docker-machine makes them
	ECDSA Algorithm = "ecdsa" // P-256
)

// keys are the key pairs of this process, made once: an RSA key takes longer than most tests, and
// no test needs a fresh one.
var keys struct {
	sync.Mutex
	made map[string]*madeKey
}

type madeKey struct {
	once sync.Once
	key  crypto.Signer
	err  error
}

// Key returns the process's key pair of that algorithm and slot: the same slot always gives the
// same key. Only the files of a Store save it to disk.
func Key(alg Algorithm, slot string) (crypto.Signer, error) {
	keys.Lock()
	if keys.made == nil {
		keys.made = map[string]*madeKey{}
	}
	name := string(alg) + "/" + slot
	m := keys.made[name]
	if m == nil {
		m = &madeKey{}
		keys.made[name] = m
	}
	keys.Unlock()
	m.once.Do(func() { m.key, m.err = newKey(alg) })
	return m.key, m.err
}

func newKey(alg Algorithm) (crypto.Signer, error) {
	switch alg {
	case "", RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, fmt.Errorf("making a key: unknown algorithm %q", alg)
}

// KeyPEM encodes a private key as docker-machine and openssl do: PKCS #1 for RSA, SEC 1 for ECDSA.
func KeyPEM(key crypto.Signer) ([]byte, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}), nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, fmt.Errorf("encoding an ECDSA key: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
	}
	return nil, fmt.Errorf("encoding a private key: unknown type %T", key)
}
