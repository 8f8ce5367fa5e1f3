package judge

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// Indicators are addresses, networks and names that are known to be the
// intruder's.
type Indicators struct {
	Addresses map[netip.Addr]string // to where each stands: file line
	Networks  []Network
	Names     map[string]string // of hosts and domains, with what is below them
	// LeftOut counts what stands in the lists and cannot be met in these logs,
	// by its type.
	LeftOut map[string]int
}

// Network is one of them.
type Network struct {
	netip.Prefix
	At string
}

// Len counts those that are looked for.
func (x *Indicators) Len() int { return len(x.Addresses) + len(x.Networks) + len(x.Names) }

// met names the indicator of an address, and where it stands.
func (x *Indicators) met(a netip.Addr) (indicator, at string, ok bool) {
	if !a.IsValid() {
		return "", "", false
	}
	if at, ok := x.Addresses[a]; ok {
		return a.String(), at, true
	}
	for _, n := range x.Networks {
		if n.Contains(a) {
			return n.String(), n.At, true
		}
	}
	return "", "", false
}

// Meets reports whether an address, or the name of a host, is one of them.
func (x *Indicators) Meets(a netip.Addr, name string) bool {
	if _, _, ok := x.met(a.Unmap()); ok {
		return true
	}
	_, _, ok := x.metName(name)
	return ok
}

// cannot are types of indicators that no log of these formats holds.
var cannot = []string{"md5", "sha1", "sha256", "sha512", "hash", "url", "uri", "email", "email-src", "filename", "file", "mutex", "yara", "ja3", "cve"}

// hosts are types of names, of which one may be a single word.
var hosts = []string{"hostname", "host", "workstation"}

// maxIndicators bounds what is kept.
const maxIndicators = 1_000_000

// Read takes a list: one address, network or domain a line, with comments
// behind #; or CSV with a head, of which the column indicator, value, ioc, ip,
// address, domain or cidr counts, and type says what it is; or a bundle of STIX
// 2.1. Anything else is refused with its line.
func (x *Indicators) Read(name string, from io.Reader) error {
	if x.Addresses == nil {
		x.Addresses, x.Names, x.LeftOut = map[netip.Addr]string{}, map[string]string{}, map[string]int{}
	}
	in := bufio.NewReader(from)
	head, _ := in.Peek(4096)
	head = bytes.TrimPrefix(head, []byte("\ufeff"))
	first, _, _ := bytes.Cut(head, []byte("\n"))
	before := x.Len()
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		err = x.readSTIX(name, in)
	} else if bytes.ContainsAny(first, ",;") && !bytes.HasPrefix(bytes.TrimSpace(first), []byte("#")) {
		err = x.readCSV(name, in, bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")))
	} else {
		err = x.readPlain(name, in)
	}
	if err == nil && x.Len() == before && len(x.LeftOut) == 0 {
		return fmt.Errorf("%s holds no indicator", name)
	}
	return err
}

func (x *Indicators) readPlain(name string, in io.Reader) error {
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "\ufeff"), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := x.add(text, "", fmt.Sprintf("%s line %d", name, n)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (x *Indicators) readCSV(name string, in io.Reader, semicolons bool) error {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord = -1
	if semicolons {
		rows.Comma = ';'
	}
	value, kind := -1, -1
	for first := true; ; first = false {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		line, _ := rows.FieldPos(0)
		at := fmt.Sprintf("%s line %d", name, line)
		if first {
			for i, h := range row {
				switch strings.ToLower(strings.Trim(h, " \ufeff")) {
				case "indicator", "value", "ioc", "ip", "address", "cidr", "ip_address", "domain":
					if value < 0 {
						value = i
					}
				case "type", "indicator_type", "ioc_type":
					kind = i
				}
			}
			if value < 0 {
				return fmt.Errorf("%s: a list with columns needs a head that names one indicator, value, ioc, ip, address, domain or cidr", at)
			}
			continue
		}
		if value >= len(row) {
			return fmt.Errorf("%s: it has no column %d", at, value+1)
		}
		k := ""
		if kind >= 0 && kind < len(row) {
			if k = strings.ToLower(strings.TrimSpace(row[kind])); slices.Contains(cannot, k) {
				x.LeftOut[k]++
				continue
			}
		}
		if err := x.add(strings.TrimSpace(row[value]), k, at); err != nil {
			return err
		}
	}
}

// add takes one of a kind, or of none that is said, defanged (192[.]0[.]2[.]1)
// or not.
func (x *Indicators) add(text, kind, at string) error {
	if x.Len() >= maxIndicators {
		return fmt.Errorf("%s: more than %d indicators", at, maxIndicators)
	}
	plain := strings.NewReplacer("[.]", ".", "(.)", ".", "[:]", ":").Replace(text)
	if a, err := netip.ParseAddr(plain); err == nil {
		x.Addresses[a.Unmap().WithZone("")] = at
		return nil
	}
	p, err := netip.ParsePrefix(plain)
	if err != nil {
		before, _, slash := strings.Cut(plain, "/")
		if a, no := netip.ParseAddr(before); slash && no == nil {
			return fmt.Errorf("%s: %q is no network: behind the slash of %s stands a number from 0 to %d", at, text, a, a.BitLen())
		}
		name, wrong := domainOf(plain, slices.Contains(hosts, kind))
		if wrong != "" {
			return fmt.Errorf("%s: %q is no address, no network and no domain (%s); hashes and URLs stand in no log of these formats, so leave them out, or give CSV with a column type", at, text, wrong)
		}
		x.Names[name] = at
		return nil
	}
	if p != p.Masked() {
		return fmt.Errorf("%s: %s has bits beyond its length; the network is %s", at, text, p.Masked())
	}
	if p.Bits() < 8 {
		return fmt.Errorf("%s: %s is too wide to say anything", at, text)
	}
	x.Networks = append(x.Networks, Network{p, at})
	return nil
}
