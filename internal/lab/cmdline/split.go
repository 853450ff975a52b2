package cmdline

import (
	"errors"
	"strings"
)

// splitter splits shell text into commands: words, quotes, command substitution, and what joins
// commands.
type splitter struct {
	rest     []rune
	commands [][]string
	words    []string
	word     strings.Builder
	begun    bool // there is a word, possibly empty
	inner    []string
}

// split returns the commands of a text, and the texts inside their command substitutions.
func split(text string) (commands [][]string, inner []string, err error) {
	s := &splitter{rest: []rune(text)}
	for len(s.rest) > 0 {
		if err := s.step(); err != nil {
			return nil, nil, err
		}
	}
	s.endCommand()
	return s.commands, s.inner, nil
}

func (s *splitter) next() rune {
	r := s.rest[0]
	s.rest = s.rest[1:]
	return r
}

func (s *splitter) step() error {
	switch r := s.next(); {
	case r == '\'':
		return s.until('\'', false)
	case r == '"':
		return s.until('"', true)
	case r == '$' && len(s.rest) > 0 && s.rest[0] == '(':
		return s.substitution()
	case r == '\\' && len(s.rest) > 0:
		s.add(s.next())
	case r == ' ' || r == '\t':
		s.endWord()
	case r == '#' && !s.begun: // a comment
		for len(s.rest) > 0 && s.rest[0] != '\n' {
			s.next()
		}
	case strings.ContainsRune("\n;&|", r):
		for len(s.rest) > 0 && s.rest[0] == r {
			s.next()
		}
		s.endCommand()
	case strings.ContainsRune("<>`(){}", r):
		return errors.New("more of a shell than hints need: " + string(r))
	default:
		s.add(r)
	}
	return nil
}

func (s *splitter) add(r rune) { s.word.WriteRune(r); s.begun = true }

func (s *splitter) until(quote rune, expands bool) error {
	s.begun = true
	for len(s.rest) > 0 {
		switch r := s.next(); {
		case r == quote:
			return nil
		case expands && r == '$' && len(s.rest) > 0 && s.rest[0] == '(':
			if err := s.substitution(); err != nil {
				return err
			}
		case expands && r == '\\' && len(s.rest) > 0 && strings.ContainsRune(`"\$`, s.rest[0]):
			s.add(s.next())
		default:
			s.add(r)
		}
	}
	return errors.New("a quotation mark without its end")
}

func (s *splitter) substitution() error {
	depth := 0
	for i, r := range s.rest {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			s.inner = append(s.inner, string(s.rest[1:i]))
			s.rest = s.rest[i+1:]
			s.word.WriteString("substituted")
			s.begun = true
			return nil
		}
	}
	return errors.New("a bracket without its end")
}

func (s *splitter) endWord() {
	if s.begun {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.begun = false
}

func (s *splitter) endCommand() {
	s.endWord()
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words = nil
}
