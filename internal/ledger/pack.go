package ledger

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// packer writes credentials as short texts and reads them again: what a large
// roll holds in memory is a tenth of what it is as CredentialState. Words that
// come again and again are kept once.
type packer struct {
	words []string
	known map[string]uint64
	out   []byte   // of the one that is being written
	at    []string // its places so far
	fits  bool
}

func newPacker() *packer { return &packer{words: []string{""}, known: map[string]uint64{}} }

// pack gives up a credential that people see to, and one with a time in another
// zone than UTC: these stay as they are.
func (p *packer) pack(c *CredentialState) (packed string, ok bool) {
	if c.Task != nil || c.Accepted != nil {
		return "", false
	}
	p.out, p.at, p.fits = p.out[:0], p.at[:0], true
	// These come first: of most credentials nothing else is asked.
	p.word(string(c.Outcome))
	p.word(string(c.Kind))
	p.text(c.ID)
	p.text(c.Name)
	p.word(c.Authority)
	p.number(c.Wave)
	packList(p, c.Paths, func(x credential.Path) { p.word(x.Mount); p.text(x.Path); p.word(x.Field) })
	packList(p, c.Reasons, func(x credential.Reason) {
		p.word(x.Source)
		p.word(x.Type)
		p.text(x.Detail)
		p.word(x.Owner)
		p.word(x.Due)
	})
	packList(p, c.Findings, func(x credential.Finding) { p.word(string(x.Code)); p.text(x.Detail) })
	packList(p, c.Signs, p.sign)
	packList(p, c.Lines, func(x credential.LineRef) { p.word(x.Line); p.word(string(x.By)) })
	packList(p, c.UsedBy, p.word)
	packList(p, c.Logins, p.text)
	packList(p, c.VaultLogins, p.text)
	p.word(c.Owner)
	p.time(c.Due)
	if b := c.DeadBefore; b != nil {
		p.number(1)
		p.word(b.Campaign)
		p.time(b.At)
	} else {
		p.number(0)
	}
	packList(p, c.Doors, p.word)
	packList(p, c.AtDoors, func(x protocol.DoorEvidence) {
		p.word(x.Door)
		p.text(x.At)
		p.word(string(x.First))
		p.word(string(x.Old))
		p.word(string(x.New))
		p.text(x.Why)
	})
	packList(p, c.DoorsLeftOut, p.word)
	packMap(p, c.DoorEnds, p.word, p.word)
	p.word(string(c.Step))
	p.word(string(c.Reason))
	p.word(c.Server)
	p.word(c.Detail)
	p.time(c.Since)
	p.time(c.Until)
	p.word(string(c.Own.Step))
	p.word(string(c.Own.Reason))
	p.word(c.Own.Server)
	p.time(c.Own.Since)
	p.time(c.Unseen)
	p.number(c.Attempt)
	packMap(p, c.From, p.place, p.number)
	packMap(p, c.To, p.place, p.number)
	packMap(p, c.Written, p.place, p.time)
	p.word(string(c.Proof))
	packList(p, c.Evidence, func(x protocol.Evidence) {
		p.word(x.Server)
		p.text(x.At)
		p.word(string(x.Old))
		p.word(string(x.New))
		p.text(x.Changed)
		p.truth(x.OnlyOne)
	})
	packList(p, c.LeftOut, p.word)
	p.time(c.SetAt)
	p.out = binary.AppendUvarint(p.out, c.Announced)
	p.time(c.AnnouncedAt)
	p.time(c.ActivatedAt)
	p.time(c.DeadAt)
	p.out = binary.AppendUvarint(p.out, c.Index)
	packMap(p, c.said, func(r protocol.Reason) { p.word(string(r)) }, p.word)
	return string(p.out), p.fits
}

// unpack is the credential that was packed.
func (p *packer) unpack(packed string) *CredentialState {
	u := unpacker{packer: p, rest: packed}
	c := &CredentialState{}
	c.Outcome, c.Kind = Outcome(u.word()), credential.Kind(u.word())
	c.ID, c.Name = u.text(), u.text()
	c.Authority, c.Wave = u.word(), u.number()
	c.Paths = unpackList(&u, func() credential.Path { return credential.Path{Mount: u.word(), Path: u.text(), Field: u.word()} })
	c.Reasons = unpackList(&u, func() credential.Reason {
		return credential.Reason{Source: u.word(), Type: u.word(), Detail: u.text(), Owner: u.word(), Due: u.word()}
	})
	c.Findings = unpackList(&u, func() credential.Finding {
		return credential.Finding{Code: credential.FindingCode(u.word()), Detail: u.text()}
	})
	c.Signs = unpackList(&u, u.sign)
	c.Lines = unpackList(&u, func() credential.LineRef {
		return credential.LineRef{Line: u.word(), By: credential.LineBy(u.word())}
	})
	c.UsedBy = unpackList(&u, u.word)
	c.Logins, c.VaultLogins = unpackList(&u, u.text), unpackList(&u, u.text)
	c.Owner, c.Due = u.word(), u.time()
	if u.number() == 1 {
		c.DeadBefore = &credential.DeadBefore{Campaign: u.word(), At: u.time()}
	}
	c.Doors = unpackList(&u, u.word)
	c.AtDoors = unpackList(&u, func() protocol.DoorEvidence {
		return protocol.DoorEvidence{Door: u.word(), At: u.text(), First: protocol.Reply(u.word()), Old: protocol.Reply(u.word()), New: protocol.Reply(u.word()), Why: u.text()}
	})
	c.DoorsLeftOut = unpackList(&u, u.word)
	c.DoorEnds = unpackMap(&u, u.word, u.word)
	c.Step, c.Reason = protocol.Step(u.word()), protocol.Reason(u.word())
	c.Server, c.Detail = u.word(), u.word()
	c.Since, c.Until = u.time(), u.time()
	c.Own = Cause{protocol.Step(u.word()), protocol.Reason(u.word()), u.word(), u.time()}
	c.Unseen, c.Attempt = u.time(), u.number()
	c.From, c.To = unpackMap(&u, u.place, u.number), unpackMap(&u, u.place, u.number)
	c.Written = unpackMap(&u, u.place, u.time)
	c.Proof = protocol.Proof(u.word())
	c.Evidence = unpackList(&u, func() protocol.Evidence {
		return protocol.Evidence{Server: u.word(), At: u.text(), Old: protocol.Reply(u.word()), New: protocol.Reply(u.word()), Changed: u.text(), OnlyOne: u.truth()}
	})
	c.LeftOut = unpackList(&u, u.word)
	c.SetAt, c.Announced, c.AnnouncedAt = u.time(), u.count(), u.time()
	c.ActivatedAt, c.DeadAt, c.Index = u.time(), u.time(), u.count()
	c.said = unpackMap(&u, func() protocol.Reason { return protocol.Reason(u.word()) }, u.word)
	return c
}

// brief is what comes first of the credential that was packed.
func (p *packer) brief(packed string) (Outcome, credential.Kind) {
	u := unpacker{packer: p, rest: packed}
	return Outcome(u.word()), credential.Kind(u.word())
}

func (p *packer) text(s string) {
	p.out = binary.AppendUvarint(p.out, uint64(len(s)))
	p.out = append(p.out, s...)
}

// mostKept bounds how many words are kept: what is different each time is not
// worth it. A longer one is hardly the same as another.
const mostKept, longest = 1 << 12, 200

func (p *packer) word(s string) {
	if s == "" {
		p.out = append(p.out, 1)
		return
	}
	n, ok := p.known[s]
	if !ok && len(p.words) < mostKept && len(s) <= longest {
		kept := strings.Clone(s) // and not the line that it came from
		p.words = append(p.words, kept)
		n, ok = uint64(len(p.words)), true
		p.known[kept] = n
	}
	if !ok {
		p.out = binary.AppendUvarint(p.out, 0)
		p.text(s)
		return
	}
	p.out = binary.AppendUvarint(p.out, n)
}

func (p *packer) number(n int) { p.out = binary.AppendVarint(p.out, int64(n)) }

func (p *packer) truth(is bool) {
	n := byte(0)
	if is {
		n = 1
	}
	p.out = append(p.out, n)
}

func (p *packer) time(t time.Time) {
	if t.IsZero() {
		p.out = append(p.out, 0)
		return
	}
	p.fits = p.fits && t.Location() == time.UTC
	p.out = append(p.out, 1)
	p.out = binary.AppendVarint(p.out, t.Unix())
	p.out = binary.AppendUvarint(p.out, uint64(t.Nanosecond()))
}

// place is a place in Vault. What had a version before has one after it.
func (p *packer) place(key string) {
	n := slices.Index(p.at, key) + 1
	if p.number(n); n == 0 {
		p.text(key)
		p.at = append(p.at, key)
	}
}

// packList keeps nil and empty apart.
func packList[T any](p *packer, all []T, item func(T)) {
	if all == nil {
		p.number(0)
		return
	}
	p.number(len(all) + 1)
	for _, x := range all {
		item(x)
	}
}

func packMap[K ~string, V any](p *packer, all map[K]V, key func(K), value func(V)) {
	if all == nil {
		p.number(0)
		return
	}
	p.number(len(all) + 1)
	if len(all) < 2 {
		for k, v := range all {
			key(k)
			value(v)
		}
		return
	}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		key(k)
		value(all[k])
	}
}

// unpacker reads what was packed, from its start to its end.
type unpacker struct {
	*packer
	rest string
	at   []string // places so far
}

func (u *unpacker) count() uint64 {
	var n uint64
	for shift := 0; ; shift += 7 {
		b := u.rest[0]
		u.rest = u.rest[1:]
		if n |= uint64(b&0x7f) << shift; b < 0x80 {
			return n
		}
	}
}

func (u *unpacker) number() int {
	n := u.count()
	return int(int64(n>>1) ^ -int64(n&1)) // zigzag, as binary.AppendVarint has it
}

func (u *unpacker) text() string {
	n := u.count()
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

func (u *unpacker) word() string {
	if n := u.count(); n > 0 {
		return u.words[n-1]
	}
	return u.text()
}

func (u *unpacker) truth() bool {
	is := u.rest[0] == 1
	u.rest = u.rest[1:]
	return is
}

func (u *unpacker) time() time.Time {
	if !u.truth() {
		return time.Time{}
	}
	seconds := u.number()
	return time.Unix(int64(seconds), int64(u.count())).UTC()
}

func (u *unpacker) place() string {
	if n := u.number(); n > 0 {
		return u.at[n-1]
	}
	u.at = append(u.at, u.text())
	return u.at[len(u.at)-1]
}

func unpackList[T any](u *unpacker, item func() T) []T {
	n := u.number()
	if n == 0 {
		return nil
	}
	out := make([]T, n-1)
	for i := range out {
		out[i] = item()
	}
	return out
}

func unpackMap[K ~string, V any](u *unpacker, key func() K, value func() V) map[K]V {
	n := u.number()
	if n == 0 {
		return nil
	}
	out := make(map[K]V, n-1)
	for range n - 1 {
		k := key()
		out[k] = value()
	}
	return out
}
