package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

// FuzzParseCert: no panic, and what was parsed prints and parses to itself.
func FuzzParseCert(f *testing.F) {
	ca := goodCA(f)
	f.Add(EncodeCert(ca.cert))
	f.Add(append([]byte("subject=/O=me\n"), append(keyPEM(f, ca.key), EncodeCert(ca.cert)...)...))
	f.Add(EncodeCert(ca.cert)[:200])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		cert, err := ParseCert(text)
		if (cert == nil) != (err != nil) {
			t.Fatalf("%v, %v", cert, err)
		}
		all, allErr := ParseCerts(text)
		if (len(all) == 0) != (allErr != nil) || err == nil && !all[0].Equal(cert) {
			t.Fatalf("%d certificates, %v", len(all), allErr)
		}
		if err != nil {
			return
		}
		again, err := ParseCert(EncodeCert(cert))
		if err != nil || !bytes.Equal(again.Raw, cert.Raw) {
			t.Fatalf("parsed again: %v", err)
		}
		_ = Summarize(cert)
		_ = Judge(ca.roots(), []*x509.Certificate{cert, ca.cert}, "localhost", now())
		_ = Judge([]*x509.Certificate{cert}, []*x509.Certificate{cert, ca.cert}, "127.0.0.1", now())
		_ = CheckCA(cert, ca.key.Public(), now())
	})
}

// FuzzParseKey: no panic, and a key that was parsed survives PKCS #8.
func FuzzParseKey(f *testing.F) {
	key := ecdsaKey(f)
	f.Add(keyPEM(f, key))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte{1}}))
	f.Add([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := ParseKey(text)
		if (key == nil) != (err != nil) {
			t.Fatalf("%v, %v", key, err)
		}
		if err != nil {
			return
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		if err != nil || !SameKey(again.Public(), key.Public()) {
			t.Fatalf("parsed again: %v", err)
		}
	})
}

// FuzzReissueNames: whatever names are asked for, the certificate is refused or
// verifies for each of them and for the old ones.
func FuzzReissueNames(f *testing.F) {
	for _, s := range []string{"localhost,127.0.0.1", "::1", "*.a.b", "a_b.c", "-x", "a..b", "1.2.3.4.5", "xn--bcher-kva.example", "bücher", "*", "a.*"} {
		f.Add(s)
	}
	ca, key := goodCA(f), ecdsaKey(f).Public()
	old := ca.issue(f, key)
	f.Fuzz(func(t *testing.T, list string) {
		names := strings.Split(list, ",")
		text, err := Reissue(Request{Old: old, PublicKey: key, CA: ca.cert, CAKey: ca.key, Names: names, Now: now()})
		if err != nil {
			if !strings.Contains(err.Error(), "neither a host name nor an IP address") {
				t.Fatal(err)
			}
			return
		}
		cert, err := ParseCert(text)
		if err != nil {
			t.Fatal(err)
		}
		problems := append(Judge(ca.roots(), []*x509.Certificate{cert}, "", now()).Causes, MissingNames(cert, append(names, NamesOf(old)...))...)
		if problems != nil {
			t.Fatal(problems)
		}
	})
}
