package explain

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// normal makes texts comparable: lower case, one space between words, plain quotes, no colors, no
// frames. In spaced a line break is a space; in joined it is removed, because consoles break lines
// in the middle of a word.
func normal(text string) (spaced, joined string) {
	text = plain(text)
	spaced = squeeze(text)
	joined = squeeze(strings.NewReplacer("\r\n", "", "\n", "").Replace(text))
	return strings.ToLower(spaced), strings.ToLower(joined)
}

// plain returns the end of a text without what surrounds a message: a terminal's colors and the
// marks of quoted lines.
func plain(text string) string {
	text = utf8(text)
	if len(text) > MaxText {
		text = text[len(text)-MaxText:]
	}
	if strings.ContainsRune(text, '\x1b') {
		text = controlSequence.ReplaceAllString(text, "")
	}
	return machineFrame.ReplaceAllString(unquoted(text), "")
}

// machineFrame is the prefix that docker-machine adds to a driver's lines. It would be in the
// middle of a sentence of several lines.
var machineFrame = regexp.MustCompile(`(?m)^\([A-Za-z0-9][A-Za-z0-9.-]*\) (?:DBG \| )?`)

// utf8 decodes UTF-16 with a byte order mark, which PowerShell's > writes to files.
func utf8(text string) string {
	if !strings.HasPrefix(text, "\xff\xfe") {
		return text
	}
	var units []uint16
	for i := 2; i+1 < len(text); i += 2 {
		units = append(units, uint16(text[i])|uint16(text[i+1])<<8)
	}
	return string(utf16.Decode(units))
}

// controlSequence matches what a terminal does not show (ECMA-48, 5.3, 5.4 and 5.6): CSI sequences,
// strings such as a title, and other escapes.
var controlSequence = regexp.MustCompile("\x1b(?:" +
	`\[[0-?]*[ -/]*[@-~]` + `|[\]P^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?` + `|[ -/]+[0-~]` + `|[^\n])`)

// unquoted removes the ">" with which mails and forums mark quoted lines.
func unquoted(text string) string {
	if !strings.Contains(text, "> ") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		for {
			rest, quoted := strings.CutPrefix(strings.TrimLeft(line, " \t"), ">")
			if !quoted || strings.TrimSpace(rest) != "" && rest[0] != ' ' && rest[0] != '>' {
				break
			}
			line = rest
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// squeeze leaves one space between words, and one backslash where there are several.
func squeeze(text string) string {
	var b strings.Builder
	space := true
	slashes := 0 // before a quote or an n they are JSON escapes, as in a log
	for _, r := range text {
		if r == '\\' {
			slashes++
			continue
		}
		switch {
		case slashes == 0 || r == '"':
		case r == 'n' || r == 'N':
			r = '\n'
		default:
			b.WriteByte('\\')
			space = false
		}
		slashes = 0
		switch {
		case r == '‘' || r == '’' || r == '`' || r == '´':
			r = '\''
		case r == '“' || r == '”':
			r = '"'
		case unicode.IsSpace(r), unicode.IsControl(r), r >= '─' && r <= '╿': // frames around messages
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		b.WriteRune(r)
		space = false
	}
	if slashes > 0 {
		b.WriteByte('\\')
	}
	return strings.TrimSpace(b.String())
}
