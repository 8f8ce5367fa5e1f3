package judge

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"rollcall/internal/evidence/event"
)

// Fields of an event may be parts of the line that they stand in, which stays
// in memory as long as one of them does. What is kept has copies of its own.

// Whoever logs in types the name. Of a long one its beginning and a digest are
// kept.
const (
	longestAccount = 256
	accountBegins  = 64
)

// nameOf is a name of an account that was folded, as it is kept.
func nameOf(form event.Form, folded string) name {
	if len(folded) <= longestAccount {
		return name{form, folded}
	}
	sum := sha256.Sum256([]byte(folded))
	return name{form, strings.ToValidUTF8(folded[:accountBegins], "") + "…" + hex.EncodeToString(sum[:])}
}

func (n name) own() name { return name{n.form, strings.Clone(n.folded)} }

func (k key) own() key {
	k.account, k.target, k.group = k.account.own(), strings.Clone(k.target), strings.Clone(k.group)
	return k
}

func (s Sighting) own() Sighting {
	for _, text := range []*string{&s.Server, &s.Account, &s.Client, &s.Method, &s.Code} {
		*text = strings.Clone(*text)
	}
	return s
}

func ownEvent(e event.Event) event.Event {
	for _, text := range []*string{&e.Server, &e.Account, &e.Client, &e.Method, &e.Code, &e.Target, &e.Group} {
		*text = strings.Clone(*text)
	}
	return e
}
