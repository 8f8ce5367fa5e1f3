package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// Containment is what people say of the device's containment, and where the
// device was on the network.
type Containment struct {
	How  credential.How `json:"how,omitempty"` // empty: nobody says that it is contained
	At   time.Time      `json:"at,omitzero"`
	By   string         `json:"by,omitempty"` // who says so
	Note string         `json:"note,omitempty"`
	// File is the one that says so, if it is not the campaign file.
	File string `json:"file,omitempty"`

	// Addresses of the device: IP addresses, and names that have some.
	Addresses []string `json:"addresses,omitempty"`
	// Elsewhere are addresses that a name of the device has and that another
	// machine has by now.
	Elsewhere []string `json:"elsewhere,omitempty"`
	// Ports at which it is asked besides those of its profile.
	Ports []int `json:"ports,omitempty"`
}

// Said reports whether somebody says that the device is contained.
func (c *Containment) Said() bool { return c != nil && c.How != "" }

// usualPorts are asked where neither the file nor a profile names any: what
// appliances answer at most.
var usualPorts = []int{22, 25, 80, 443, 8080, 8443}

// DevicePorts are those at which the device is asked.
func (c *Campaign) DevicePorts() (out []int) {
	if c.Containment != nil {
		out = append(out, c.Containment.Ports...)
	}
	if c.Profile != nil {
		out = append(out, c.Profile.Ports...)
	}
	if len(out) == 0 {
		out = append(out, usualPorts...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// StatementFile is where `rollcall contain` says that a device is contained,
// beside the campaign file.
func StatementFile(device string) string { return "contained-" + device + ".yaml" }

// Most of each: all of them are asked at once.
const (
	mostAddresses = 32
	mostPorts     = 64
	longestNote   = 1000
)

var statementKeys = []string{"how", "at", "by", "note"}

// containment reads the section of that name and the file that `rollcall
// contain` has written.
func (l *loader) containment(top fields, c *Campaign) *Containment {
	f := l.mapping(top.vals["containment"], "containment", append(slices.Clone(statementKeys), "addresses", "elsewhere", "ports")...)
	out := &Containment{Addresses: l.deviceAddresses(f, "addresses"), Elsewhere: l.deviceAddresses(f, "elsewhere"), Ports: l.devicePorts(f)}
	for _, a := range out.Elsewhere {
		if slices.Contains(out.Addresses, a) {
			f.problem("elsewhere", "%s is among the addresses of the device as well", a)
		}
		if _, err := netip.ParseAddr(a); err != nil {
			f.problem("elsewhere", "must be IP addresses: those that the device's name leads to and that another machine has by now")
		}
	}
	here := slices.ContainsFunc(statementKeys, f.has)
	if here {
		f.statement(out, c.Exposure)
	}
	l.refusePointing(top, out.Addresses)
	name := StatementFile(c.Device)
	text, err := readFile(filepath.Join(l.dir, name))
	switch {
	case c.Device == "" || !nameForm.MatchString(c.Device) || errors.Is(err, fs.ErrNotExist):
	case err != nil:
		l.others = append(l.others, &Errors{File: name, List: []Problem{{Text: "cannot be read: " + err.Error()}}})
	case here:
		f.problem(firstOf(f, statementKeys), "%s says how and since when as well: take one of the two out", name)
	default:
		l.statementIn(name, text, c, out)
	}
	if !top.has("containment") && out.How == "" {
		return nil
	}
	return out
}

func firstOf(f fields, keys []string) string {
	return keys[slices.IndexFunc(keys, f.has)]
}

// statement reads how, at, by and note.
func (f fields) statement(c *Containment, exposure []Interval) {
	c.How = credential.How(f.how())
	c.At = f.since(exposure)
	c.By, c.Note = f.oneLine("by"), f.oneLine("note")
}

// how is what must be said, and said in a known word.
func (f fields) how() string {
	if !f.has("how") {
		f.problem("how", "missing: one of %s", strings.Join(credential.Hows(), ", "))
		return ""
	}
	return f.oneOf("how", "", credential.Hows())
}

// since is the time of the containment, which has passed, and has a zone.
func (f fields) since(exposure []Interval) time.Time {
	s := f.required("at", "since when the device is contained, for example 2026-11-28T21:40:00Z")
	if s == "" {
		return time.Time{}
	}
	t, err := ParseSince(s, time.Now(), exposure)
	if err != nil {
		f.problem("at", "%v", err)
	}
	return t
}

// ParseSince reads since when a device is contained. The time has a zone, for
// hours decide what a thief has seen, and it has passed.
func ParseSince(s string, now time.Time, exposure []Interval) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		for _, form := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"} {
			if _, err := time.Parse(form, s); err == nil {
				return time.Time{}, errors.New("needs a time with its zone: write it like 2026-11-28T21:40:00Z or 2026-11-28T22:40:00+01:00")
			}
		}
		return time.Time{}, errors.New("not a time: write it like 2026-11-28T21:40:00Z or 2026-11-28T22:40:00+01:00")
	}
	t = t.UTC()
	switch {
	case t.After(now):
		return t, fmt.Errorf("lies in the future (it is %s now): say it once the device is contained", now.UTC().Format(time.RFC3339))
	}
	return t, statedBefore(t, now, exposure)
}

// statedBefore refuses a containment that the file itself says was not one: in
// each exposure the device was in foreign hands, to its end, and one that has
// none, or ends later, lasts until it is contained. An end may be known to the
// day only.
func statedBefore(t, now time.Time, exposure []Interval) error {
	for _, i := range exposure {
		until := i.To
		if until.IsZero() || until.After(now) {
			until = i.From
		} else {
			until = until.Truncate(24 * time.Hour)
		}
		if until.Before(i.From) {
			until = i.From
		}
		if t.Before(until) {
			return fmt.Errorf("lies before %s, and until then the device was in foreign hands (exposure): say since when it is contained for good, or correct exposure", until.Format(time.RFC3339))
		}
	}
	return nil
}

// oneLine is a text of one line, of things that are no secret.
func (f fields) oneLine(key string) string {
	s := f.str(key)
	switch {
	case len(s) > longestNote:
		f.problem(key, "is longer than %d bytes", longestNote)
		return ""
	case strings.ContainsFunc(s, unicode.IsControl):
		f.problem(key, "must be one line of text")
		return ""
	}
	return s
}

// statementIn reads what `rollcall contain` has written.
func (l *loader) statementIn(name string, text []byte, c *Campaign, out *Containment) {
	in := &loader{dir: l.dir, refused: refusedSet{}, errs: Errors{File: name}}
	switch root := in.parse(text); {
	case root == nil:
	case root.Kind != yaml.MappingNode:
		in.problem(root.Line, "must be a mapping with device, how and at")
	default:
		in.refuseSecrets(root)
		f := in.mapping(root, "", append([]string{"device"}, statementKeys...)...)
		if d := f.required("device", "which device is contained"); d != "" && !c.IsDevice(d) {
			f.problem("device", "this is about %s, and the campaign is of %s", shown(d), shown(c.Device))
		}
		f.statement(out, c.Exposure)
		out.File = name
	}
	if len(in.errs.List) > 0 {
		in.errs.sort()
		l.others = append(l.others, &in.errs)
	}
}

// deviceAddresses are where the device was on the network.
func (l *loader) deviceAddresses(f fields, key string) (out []string) {
	items := f.list(key)
	if len(items) > mostAddresses {
		f.problem(key, "are more than %d", mostAddresses)
		return nil
	}
	for _, n := range items {
		s, ok := l.text(n, f.at(key))
		if !ok {
			continue
		}
		at, what := deviceAddress(s)
		switch {
		case what != "":
			l.problem(n.Line, "%s: %s", f.at(key), what)
		case slices.Contains(out, at):
			l.problem(n.Line, "%s: %s is named twice", f.at(key), at)
		default:
			out = append(out, at)
		}
	}
	return out
}

// deviceAddress is an IP address or a name of DNS, in one form each.
func deviceAddress(s string) (at, what string) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		switch {
		case a.IsUnspecified() || a.IsMulticast():
			return "", "must be an address of the device, and this one is no single machine's"
		case a.IsLinkLocalUnicast():
			return "", "a link-local address reaches other machines from each network: name an address at which the device was reached from here"
		}
		return a.String(), ""
	}
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if !hostForm(name) {
		return "", "must be an IP address or a name of DNS, without a port or a network's length"
	}
	return name, ""
}

// DeviceNames are the names of the device that can be names of DNS too.
func (c *Campaign) DeviceNames() (out []string) {
	for _, name := range append([]string{c.Device}, c.Formerly...) {
		if at, what := deviceAddress(name); what == "" && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// hostForm reports whether a text can be a name of DNS.
func hostForm(s string) bool {
	labels := strings.Split(s, ".")
	for i, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }) {
			return false
		}
		if i == len(labels)-1 && strings.Trim(label, "0123456789") == "" {
			return false // what is meant for an IPv4 address
		}
	}
	return len(s) <= 253
}

func (l *loader) devicePorts(f fields) (out []int) {
	items := f.list("ports")
	if len(items) > mostPorts {
		f.problem("ports", "are more than %d", mostPorts)
		return nil
	}
	for _, n := range items {
		p, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || p < 1 || p > 65535 {
			l.problem(n.Line, "%s: must be numbers from 1 to 65535", f.at("ports"))
			continue
		}
		out = append(out, p)
	}
	return out
}

// refusePointing finds what the campaign would be sent to at an address of the
// old device: a server there is the thief's to answer for.
func (l *loader) refusePointing(top fields, addresses []string) {
	if len(addresses) == 0 {
		return
	}
	for _, section := range append([]string{"directories"}, Sections()...) {
		if n := top.vals[section]; n != nil {
			l.pointing(n, section, addresses)
		}
	}
}

// pointing walks a section, and leaves out servers that an authority had and
// has no more.
func (l *loader) pointing(n *yaml.Node, where string, addresses []string) {
	switch n.Kind {
	case yaml.ScalarNode:
		for _, host := range hostsOf(n.Value) {
			if slices.Contains(addresses, host) {
				l.problem(n.Line, "%s: points at %s, which is an address of the device (containment.addresses): what answers there may be the thief's", where, host)
				return
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i].Value; key != "formerly" {
				l.pointing(n.Content[i+1], where+"."+shown(key), addresses)
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			l.pointing(item, where, addresses)
		}
	}
}

// hostsOf are the host of a server's URL and the address behind it.
func hostsOf(server string) (out []string) {
	url, address := SplitServer(server)
	_, host, ok := strings.Cut(url, "://")
	if !ok {
		return nil
	}
	host, _, _ = strings.Cut(host, "/")
	for _, h := range []string{host, address} {
		if p, err := netip.ParseAddrPort(h); err == nil {
			h = p.Addr().String()
		} else if i := strings.LastIndexByte(h, ':'); i > 0 && strings.IndexByte(h, ':') == i {
			h = h[:i]
		}
		if at, what := deviceAddress(strings.Trim(h, "[]")); what == "" {
			out = append(out, at)
		}
	}
	return out
}
