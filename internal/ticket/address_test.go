package ticket

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// Whatever stands around it, a public address goes, and a private one stays as it is.
func TestAnyAddress(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	four := func(first ...byte) netip.Addr {
		b := [4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		copy(b[:], first)
		return netip.AddrFrom4(b)
	}
	six := func(first ...byte) netip.Addr {
		var b [16]byte
		for i := range b {
			b[i] = byte(r.Uint32()) * byte(r.Uint32()&1) // zeros make it shorter
		}
		b[11], b[12] = 0, 0 // no hardware address
		copy(b[:], first)
		return netip.AddrFrom16(b)
	}
	for range 200 {
		for _, ip := range []netip.Addr{
			four(), four(192, 168), four(10), four(172, 16+byte(r.IntN(16))), four(127), four(169, 254), four(100, 64),
			six(0x20 + byte(r.IntN(32))), six(0xfd), six(0xfe, 0x80), six(0xff, 2),
		} {
			s := ip.String()
			host := s
			if ip.Is6() {
				host = "[" + s + "]"
			}
			for _, text := range []string{
				s, fmt.Sprintf("%s/%d", s, 8+r.IntN(25)), fmt.Sprintf("tcp://%s:%d", host, r.IntN(65536)), "(" + s + ")", `"` + s + `",`, "by " + s + ".",
				"\t" + s + "\n", "from=" + s, "<" + s + ">", strings.ToUpper(s),
			} {
				got, _ := Redact(text, Private{})
				if isPublic(ip) == strings.Contains(strings.ToLower(got), s) || !isPublic(ip) && got != text {
					t.Fatalf("%q becomes %q", text, got)
				}
			}
		}
	}
}
