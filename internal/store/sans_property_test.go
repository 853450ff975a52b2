package store

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestAddSANsInAnyFormatting writes the same configuration with blanks and line
// breaks anywhere that JSON allows them, and the field in every state.
func TestAddSANsInAnyFormatting(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	blanks := []string{"", "", "", " ", "\n", "\r\n\t", "  ", "\n    "}
	states := []string{`"ServerCertSANs":[],`, `"ServerCertSANs":null,`, ``, `"ServerCertSANs":["a"],`, `"ServerCertSANs":["a,]\"}","localhost","b"],`}
	compact := func(name string) string {
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(fixture(t, name))); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, name := range []string{"v2.json", "v3.json", "minikube.json"} {
		text := strings.NewReplacer(`"ServerCertSANs":[],`, "@", `"ServerCertSANs":null,`, "@", `,"ServerCertSANs":null}`, ",@}").Replace(compact(name))
		if !strings.Contains(text, "@") {
			t.Fatalf("%s: no field in %s", name, text)
		}
		for range 400 {
			state := states[r.IntN(len(states))]
			one := strings.ReplaceAll(text, "@", state)
			one = strings.Replace(one, ",}", "}", 1) // where the field was the last
			before := scattered(r, one, blanks)
			if _, err := AddSANs(before, []string{"localhost", "127.0.0.1"}); err != nil {
				t.Fatalf("%v\n%s", err, before)
			}
			checkEdit(t, before, []string{"localhost", "127.0.0.1"})
		}
	}
}

// scattered puts blanks between the tokens of compact JSON.
func scattered(r *rand.Rand, text string, blanks []string) []byte {
	var b bytes.Buffer
	inside := false
	for i := range len(text) {
		c := text[i]
		if c == '"' && (i == 0 || text[i-1] != '\\') {
			inside = !inside
		}
		if !inside && strings.IndexByte("{}[],:", c) >= 0 {
			b.WriteString(blanks[r.IntN(len(blanks))])
			b.WriteByte(c)
			b.WriteString(blanks[r.IntN(len(blanks))])
			continue
		}
		b.WriteByte(c)
	}
	return b.Bytes()
}
