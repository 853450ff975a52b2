package certs

import (
	"crypto/x509"
	"encoding/pem"
	"math/rand/v2"
	"slices"
	"time"
)

// odds is a source of rare events.
type odds struct{ *rand.Rand }

// in reports one event of n.
func (o odds) in(n int) bool { return o.IntN(n) == 0 }

// rarely is one of the n values, mostly 0.
func (o odds) rarely(n int) int {
	if o.IntN(12) > 0 {
		return 0
	}
	return o.IntN(n)
}

// forServers and forClients are the good usages, in ekus.
const forServers, forClients = 0, 3

// draw makes a chain, from the root down, and another side that may know it.
func (f *forge) draw(r *rand.Rand, usage int) scene {
	o := odds{r}
	above := spec{name: 0, key: o.rarely(len(f.ca))}
	above.issuer, above.issuerKey = above.name, above.key
	authorities := []spec{f.authority(o, above)}
	depth := []int{0, 0, 0, 0, 0, 1, 1, 1, 2, 3}[o.IntN(10)]
	for i := range depth {
		parent := authorities[len(authorities)-1]
		authorities = append(authorities, f.authority(o, spec{name: i + 1, key: (parent.key + 1) % 5, issuer: parent.name, issuerKey: parent.key}))
	}
	parent := authorities[depth]
	leaf := spec{name: 10, key: o.rarely(len(f.leaf)), issuer: parent.name, issuerKey: parent.key, dates: o.rarely(len(spans)), eku: o.rarely(len(ekus)),
		usage: o.rarely(len(leafUsages)), sans: o.rarely(len(sans)), critical: o.in(60), weak: o.in(60), broken: o.in(60), keyID: o.in(3), oddKey: o.in(100), noBasic: o.in(20)}
	if o.in(30) { // the issuer's name, and another key
		leaf.issuerKey = (leaf.issuerKey + 1) % 5
	}
	s := scene{ca: authority{f.make(authorities[0]), f.ca[authorities[0].key]}, key: f.leaf[leaf.key], peer: f.peer, now: now(), tls12: o.in(4)}
	if o.in(5) {
		s.now = s.now.Add(500 * time.Millisecond)
	}
	names := []string{"localhost", "192.168.99.100", "127.0.0.1", "::1", "docker.example", "LOCALHOST", "docker.example.", "10.0.0.1"}
	s.name = names[0]
	if o.in(4) {
		s.name = names[o.IntN(len(names))]
	}
	if leaf.eku == 0 {
		leaf.eku = usage
	}
	own := f.make(leaf)
	s.caPEM = f.caPEM(o, authorities, own)
	s.chain = append([]*x509.Certificate{own}, f.sent(o, authorities, own)...)
	return s
}

// authority gives a CA its faults, which are rare.
func (f *forge) authority(o odds, s spec) spec {
	s.ca, s.eku = true, 1
	if o.in(15) {
		s.eku = o.IntN(len(ekus))
	}
	s.dates, s.usage, s.constraints, s.pathLen = o.rarely(len(spans)), o.rarely(len(caUsages)), o.rarely(len(constraints)), o.rarely(4)
	s.noBasic, s.critical, s.weak, s.broken = o.in(50), o.in(60), o.in(60), o.in(60)
	s.keyID, s.version1 = o.in(3), o.in(60)
	return s
}

// caPEM is the client's ca.pem: the root, mostly, and what else may be in it.
func (f *forge) caPEM(o odds, authorities []spec, leaf *x509.Certificate) []byte {
	root := authorities[0]
	var certs []*x509.Certificate
	if !o.in(20) {
		certs = append(certs, f.make(root))
	}
	twin := spec{name: root.name, key: (root.key + 2) % 5, issuer: root.name, issuerKey: (root.key + 2) % 5, ca: true, eku: 1}
	renewed := root
	renewed.dates, renewed.pathLen, renewed.eku = o.IntN(len(spans)), 0, 1
	other := spec{name: 20, key: 4, issuer: 20, issuerKey: 4, ca: true, eku: 1}
	for _, c := range []struct {
		n    int
		cert *x509.Certificate
	}{{12, f.make(twin)}, {12, f.make(renewed)}, {8, f.make(other)}, {30, leaf}, {20, f.make(authorities[len(authorities)-1])}} {
		if o.in(c.n) {
			certs = append(certs, c.cert)
		}
	}
	o.Shuffle(len(certs), func(i, j int) { certs[i], certs[j] = certs[j], certs[i] })
	var text []byte
	for _, c := range certs {
		block := &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}
		switch {
		case o.in(60):
			block.Headers = map[string]string{"Comment": "x"}
		case o.in(60):
			block.Bytes = block.Bytes[:len(block.Bytes)-1]
		}
		text = append(text, pem.EncodeToMemory(block)...)
	}
	return text
}

// sent is what the server sends behind its own certificate.
func (f *forge) sent(o odds, authorities []spec, leaf *x509.Certificate) []*x509.Certificate {
	var certs []*x509.Certificate
	for _, a := range slices.Backward(authorities[1:]) {
		if !o.in(15) {
			certs = append(certs, f.make(a))
		}
		if o.in(12) { // the same CA, signed by another that the client may know
			a.issuer, a.issuerKey, a.dates = 20, 4, 0
			certs = append(certs, f.make(a))
		}
		if o.in(20) { // and signed by one below it: a circle
			a.issuer, a.issuerKey = authorities[len(authorities)-1].name, authorities[len(authorities)-1].key
			certs = append(certs, f.make(a))
		}
	}
	if o.in(8) {
		certs = append(certs, f.make(authorities[0]))
	}
	if o.in(15) {
		certs = append(certs, f.make(spec{name: 21, key: 3, issuer: 22, issuerKey: 2, ca: true, eku: 1}))
	}
	if o.in(40) {
		certs = append(certs, leaf)
	}
	if o.in(60) {
		certs = append(certs, f.make(spec{name: 23, issuer: 20, issuerKey: 4, hugeKey: true}))
	}
	if len(certs) > 0 && o.in(10) {
		certs = append(certs, certs[0])
	}
	if o.in(1000) { // more than crypto/x509 looks at
		for i := range 2 * maxChecks {
			crowd := authorities[len(authorities)-1]
			crowd.key, crowd.issuer = (crowd.key+1)%5, 100+i
			certs = append(certs, f.make(crowd))
		}
	}
	if o.in(5) {
		o.Shuffle(len(certs), func(i, j int) { certs[i], certs[j] = certs[j], certs[i] })
	}
	return certs
}
