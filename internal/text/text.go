// Package text shortens and cleans what other programs and libraries print, for use in a message.
package text

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// JSONError returns why data is not valid JSON or has the wrong structure, without names of Go
// types. It returns any other error unchanged.
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

// OneLine returns s with every run of white space replaced by one space.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Shorten returns at most the first most bytes of s, cut between two characters and marked with
// "…".
func Shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
