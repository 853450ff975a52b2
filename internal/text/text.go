// Package text brings what other programs and libraries print into a form that fits into a
// message.
package text

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// JSONError is why a file is no JSON, or JSON of another kind, without the names of Go's
// types; any other error is as it was.
func JSONError(err error) error {
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax) && strings.HasPrefix(syntax.Error(), "unexpected end"):
		return errors.New("its end is missing")
	case syntax != nil:
		return fmt.Errorf("it is not JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s is of the wrong type, %s", kind.Field, kind.Value)
	case kind != nil:
		return fmt.Errorf("it is of the wrong type, %s", kind.Value)
	}
	return err
}

// OneLine is s with every run of white space as one space.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Shorten cuts s off after most bytes, between two characters, and marks the cut with "…".
func Shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
