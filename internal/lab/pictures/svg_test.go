package pictures

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPieces(t *testing.T) {
	var s style
	got := append(s.pieces("a \x1b[1;31mb\x1b[39m c"), s.pieces("d\x1b[0me\x1b[2m")...)
	want := []piece{{style{}, "a "}, {style{bold: true, color: 1}, "b"}, {style{bold: true}, " c"}, {style{bold: true}, "d"}, {style{}, "e"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(piece{}, style{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSVG reads a picture as any program would, and finds the screen in it.
func TestSVG(t *testing.T) {
	const screen = "\n$ cat <a> & \"b\"\n  \x1b[32m✓\x1b[39m good\n\x1b[0m\n"
	for _, theme := range Themes {
		picture := SVG("a <title>", screen, theme)
		var read struct {
			Width  int    `xml:"width,attr"`
			Height int    `xml:"height,attr"`
			Title  string `xml:"title"`
			Text   []struct {
				X, Y float64
				Fill string `xml:"fill,attr"`
				Text string `xml:",chardata"`
			} `xml:"g>text"`
		}
		if err := xml.Unmarshal([]byte(picture), &read); err != nil {
			t.Fatalf("%v\n%s", err, picture)
		}
		var text []string
		for _, p := range read.Text {
			text = append(text, p.Text)
		}
		if want := []string{`$ cat <a> & "b"`, "✓", " good"}; !cmp.Equal(want, text) || read.Title != "a <title>" {
			t.Errorf("%s: title %q, texts %q", theme.Name, read.Title, text)
		}
		if read.Text[1].Fill != theme.Colors[1] || !strings.Contains(picture, theme.Background) {
			t.Errorf("%s: other colors\n%s", theme.Name, picture)
		}
		if read.Width != 704 || read.Height != 2*line+2*margin {
			t.Errorf("%s: %d × %d", theme.Name, read.Width, read.Height)
		}
	}
}
