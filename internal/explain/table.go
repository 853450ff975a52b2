package explain

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

//go:embed messages/*.txt
var messages embed.FS

// files are the files in messages, in the order in which their entries are tried: programs that
// quote other programs' messages come first.
var files = strings.Fields(`lists own compose minikube docker-machine docker-machine-store docker-tls
	virtualbox-host virtualbox-vm virtualbox-network route ssh ssh-login ssh-connection
	proxy registry container docker docker-setup curl curl-tls openssl virtualbox-routine frames`)

type contents struct {
	lists   map[string][]string
	entries []Entry
}

// table returns the contents of the files. It panics on a mistake in one, which the tests find.
var table = sync.OnceValue(func() contents {
	c := contents{lists: map[string][]string{}}
	for _, file := range files {
		data, err := messages.ReadFile("messages/" + file + ".txt")
		if err == nil {
			err = c.add(string(data))
		}
		if err != nil {
			panic(fmt.Sprintf("messages/%s.txt: %v", file, err))
		}
	}
	return c
})

// add parses the blocks of a file.
func (c *contents) add(file string) error {
	for _, block := range strings.Split("\n"+file, "\n== ")[1:] {
		name, body, _ := strings.Cut(block, "\n")
		var err error
		if listName.MatchString(name) {
			err = c.addList(name, body)
		} else {
			err = c.addEntry(name, body)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (c *contents) addList(name, body string) error {
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		texts, err := alternatives(line, c.lists)
		if err != nil {
			return err
		}
		c.lists[name] = append(c.lists[name], texts...)
	}
	return nil
}

func (c *contents) addEntry(id, body string) error {
	e := Entry{ID: id, Also: []string{}}
	quoted := false
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		sample, isSample := strings.CutPrefix(line, ">")
		switch {
		case isSample && quoted:
			e.samples[len(e.samples)-1] += "\n" + strings.TrimPrefix(sample, " ")
		case isSample:
			e.samples = append(e.samples, strings.TrimPrefix(sample, " "))
		case line != "" && !strings.HasPrefix(line, "#"):
			key, text, _ := strings.Cut(line, " ")
			if err := c.set(&e, key, strings.TrimSpace(text)); err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
		}
		quoted = isSample
	}
	c.entries = append(c.entries, e)
	return nil
}

var where = regexp.MustCompile(`^\[(macos|linux|windows|adapters|networks)\] +`)

// set adds a line to an entry.
func (c *contents) set(e *Entry, key, text string) error {
	var p pattern
	var texts []string
	var err error
	switch key {
	case "means":
		e.Means = text
	case "cause":
		e.Causes = append(e.Causes, text)
	case "do", "run":
		var on string
		if m := where.FindStringSubmatch(text); m != nil {
			on, text = m[1], text[len(m[0]):]
		}
		e.advice = append(e.advice, advice{on, text, key == "do"})
	case "page":
		if m := where.FindStringSubmatch(text); m != nil {
			e.pages = append(e.pages, advice{where: m[1], line: text[len(m[0]):]})
		} else {
			e.Code = text
		}
	case "also":
		e.Also = append(e.Also, text)
	case "source":
		e.Source = text
	case "match":
		p, err = parsePattern(text, c.lists)
		e.match = append(e.match, p)
	case "closing":
		p, err = parsePattern(text, c.lists)
		e.closing = append(e.closing, p)
	case "not":
		texts, err = alternatives(text, c.lists)
		e.not = append(e.not, texts...)
	case "value":
		name, re, _ := strings.Cut(text, " ")
		v := value{name: name, word: regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)}
		v.re, err = regexp.Compile("(?i)" + strings.TrimSpace(re))
		e.values = append(e.values, v)
	default:
		err = fmt.Errorf("no line begins with %q", key)
	}
	return err
}
