package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/evidence/taken"
	"rollcall/internal/paste"
)

// LoadForEvidence is Load for the command that writes what sources of type
// evidence read: one of which the file is missing, out of date or just being
// written is taken as if it were not there, and leftOut says why.
func LoadForEvidence(path string) (c *Campaign, leftOut []string, err error) {
	l := &loader{withoutEvidence: true}
	c, err = l.load(path)
	return c, l.evidenceLeftOut, err
}

// largestEvidence is a result that is read: what workers get of it is less.
const largestEvidence = 256 << 20

// evidence reads what `rollcall evidence -o json` wrote, and keeps of it what
// a listing takes up. Exposure and containment have been read.
func (l *loader) evidence(f fields, s *Source, c *Campaign) {
	s.File = f.required("file", "what `rollcall evidence … -o json` wrote")
	s.Addresses = f.networks("addresses")
	if s.File == "" {
		return
	}
	of, err := l.takenFrom(s, c)
	switch {
	case err == nil:
		parts := of.Parts()
		s.Seen, s.NotTaken, s.Record = parts.Accounts, parts.Rest, of.Record()
	case l.withoutEvidence:
		l.evidenceLeftOut = append(l.evidenceLeftOut, err.Error())
	default:
		l.others = append(l.others, err)
	}
}

// takenFrom reads the file of a source. An error has the file's name, and the
// line where there is one.
func (l *loader) takenFrom(s *Source, c *Campaign) (*taken.File, error) {
	wrong := func(line int, format string, args ...any) (*taken.File, error) {
		return nil, &Errors{File: s.File, List: []Problem{{Line: line, Text: fmt.Sprintf(format, args...)}}}
	}
	path := s.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	text, err := readUpTo(path, largestEvidence)
	const write = "`rollcall evidence … -o json` writes it"
	switch {
	case err != nil:
		return wrong(0, "cannot be read (the path is relative to the campaign file, source on line %d): %v; %s", s.Line, err, write)
	case len(text) == 0:
		return wrong(0, "is empty: %s, and a shell empties what it writes to before the command has begun, also where that fails; write to another name and rename it", write)
	}
	of, err := taken.Read(text)
	var m *taken.Mistake
	switch {
	case errors.As(err, &m):
		return wrong(m.Line, "%s", m.Text)
	case err != nil:
		return wrong(0, "%v", err)
	case !c.IsDevice(of.Device):
		return wrong(0, "is of the device %s, and the campaign file of %s: name the file of this one", shown(of.Device), shown(c.Device))
	}
	if what := of.Unlike(c.Windows(), c.seenAt(s.Addresses...)); what != "" {
		return wrong(0, "%s", what)
	}
	return of, nil
}

// Windows are the times in which the device was in foreign hands.
func (c *Campaign) Windows() (out []taken.Span) {
	for _, i := range c.Exposure {
		out = append(out, taken.Span{From: i.From, To: i.To})
	}
	return out
}

// SourceOf is the entry of a source for a result that was made with the device
// at these addresses: those that are none of its containment's are named.
func (c *Campaign) SourceOf(file string, addresses []string) string {
	known, more := c.seenAt(), []string{}
	for _, text := range addresses {
		if p, err := ParseCIDR(text); err == nil && !slices.Contains(known, p) {
			more = append(more, strings.TrimSuffix(strings.TrimSuffix(text, "/32"), "/128"))
		}
	}
	entry := fmt.Sprintf("sources: - {type: %s, file: %s", FromEvidence, paste.YAML(file))
	if len(more) > 0 {
		entry += fmt.Sprintf(", addresses: [%s]", strings.Join(more, ", "))
	}
	return entry + "}"
}

// seenAt are the addresses at which logs show the device: those of its
// containment, and more.
func (c *Campaign) seenAt(more ...string) (out []netip.Prefix) {
	texts := slices.Clone(more)
	if c.Containment != nil {
		texts = append(texts, c.Containment.Addresses...)
	}
	for _, text := range texts {
		if p, err := ParseCIDR(text); err == nil { // a name is in no log
			out = append(out, p)
		}
	}
	return out
}

// networks is a list of addresses and networks.
func (f fields) networks(key string) (out []string) {
	for _, n := range f.list(key) {
		p, err := ParseCIDR(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			f.problem(key, "must be a list of networks and addresses: 10.1.2.0/24 or 10.1.2.3")
			continue
		}
		out = append(out, p.String())
	}
	return out
}
