package ownmount

import (
	"fmt"
	"strings"
)

// Identifiers of credentials hold entryUUIDs, role names and Vault paths with
// anything in them, while Vault's API cleans paths and treats some characters
// as its own. So each segment is written in letters, digits, '-', '_' and
// inner dots; every other byte becomes "~" and two hex digits. The encoding is
// one to one.

func encodeID(id string) string {
	segs := strings.Split(id, "/")
	for i, s := range segs {
		segs[i] = encodeSegment(s)
	}
	return strings.Join(segs, "/")
}

func encodeSegment(s string) string {
	if s == "" {
		return "~"
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' ||
			c == '.' && i > 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "~%02x", c)
	}
	return b.String()
}

// decodeID reverses encodeID; ok is false for a name that it never writes.
func decodeID(path string) (id string, ok bool) {
	segs := strings.Split(path, "/")
	for i, s := range segs {
		d, ok := decodeSegment(s)
		if !ok {
			return "", false
		}
		segs[i] = d
	}
	return strings.Join(segs, "/"), true
}

func decodeSegment(s string) (string, bool) {
	if s == "~" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '~' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		var c byte
		if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err != nil {
			return "", false
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), encodeSegment(b.String()) == s
}
