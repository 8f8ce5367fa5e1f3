package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
)

// Live is one version of one field of a secret that consumers read.
type Live struct {
	// Value is the secret: the field's text, or the part of it that is the
	// secret where the field holds a document whose form is known (see unwrap).
	Value credential.Secret

	// Version of the secret; the current one is what Activate compares with.
	// 0: the path never existed. It is set for a deleted or destroyed version
	// too, as long as Vault still knows it.
	Version int

	// Written is when this version was written, by Vault's clock; zero if
	// unknown.
	Written time.Time

	// Found: this version can be read and has a value in the field.
	Found bool

	// Ends: Vault deletes this version by itself, or has.
	Ends bool

	// Problem is why the field cannot be written whatever the account says:
	// NoField, NotBare, UnusableValue or DeletedVersion. Value is then empty.
	Problem credential.Problem

	// Replaced is the version that Activate wrote over, which held the same
	// value in the field as the one that was read.
	Replaced int

	// Over is when the version before this one was written, where Activate
	// wrote this one over it and the secret has other fields, which are as they
	// were.
	Over time.Time

	// Keys are the names of the fields that are there, sorted.
	Keys []string

	// Also are other fields of the secret that hold Value as well, in whatever
	// form: Activate does not change them.
	Also []string

	// More is why Value looks like more than a bare secret; empty if it does
	// not. If the account accepts it as it stands, it is one all the same.
	// Plainly: next to no password looks so.
	More    string
	Plainly bool

	// Within names what Value was taken out of, if the account may have all of
	// that as its password: quotes, base64. Such a value has a More as well.
	Within string

	// Owner is the subject of the credential for which Rollcall made the
	// secret.
	Owner string

	// Other is what the field means if Value is not what the account has: a
	// second reading of the same text (readings.go). Zero: there is none.
	Other credential.Secret

	data   map[string]any // all fields, so that Activate keeps the others
	around wrapping       // what surrounds Value in its field

	field string
	users []string // see Of
	other wrapping // what surrounds Other
	taken bool     // Value was the other reading

	without []string // fields that lead nowhere

	custom map[string]string // custom_metadata
}

// OwnerField says in a secret that Rollcall makes whose it is. Whoever may
// write there could write anything, so it is believed at Rollcall's own paths
// alone.
const OwnerField = "rollcall_credential"

// maxActivateTries bounds the retries of Activate: each lost race means that a
// sibling field's write succeeded, and a secret rarely has more fields.
const maxActivateTries = 64

// ReadLive reads a field at a version, 0 for the current one. An absent path or
// version is Found false, and what is odd about the field is Problem: neither
// is an error.
func (c *Client) ReadLive(ctx context.Context, p credential.Path, version int) (Live, error) {
	e, err := c.Get(ctx, "read a live secret", p.Mount, p.Path, version)
	if err != nil {
		return Live{}, err
	}
	return liveOf(e, p.Field), nil
}

func liveOf(e Entry, field string) Live { return liveTo(e, field, nil) }

func liveTo(e Entry, field string, users []string) Live {
	l := Live{Version: e.Version, Written: e.Written, Ends: e.ends, data: e.Data, field: field, users: users}
	if len(e.custom) > 0 {
		l.custom = e.custom
	}
	if e.Data == nil {
		if e.Version > 0 && !e.gone {
			l.Problem = credential.DeletedVersion
		}
		return l
	}
	l.Keys = slices.Sorted(maps.Keys(e.Data))
	l.Owner, _ = e.Data[OwnerField].(string)
	if fields := (credential.Path{Field: field}).Fields(); len(fields) > 1 {
		return l.ofParts(fields)
	}
	v, has := e.Data[field]
	if !has {
		l.Problem = credential.NoField
		return l
	}
	text := ""
	switch v := v.(type) {
	case nil:
	case string:
		text = v
	case json.Number:
		text = v.String()
	default:
		l.Problem = credential.UnusableValue
		return l
	}
	if text == "" && slices.ContainsFunc(l.Keys, func(key string) bool { return key != field && key != OwnerField && mayBeRead(key, e.Data[key]) }) {
		l.Problem = credential.NoField // what consumers read is in another one
		return l
	}
	secret, around, bare := unwrap(text)
	if !bare {
		l.Problem = credential.NotBare
		return l
	}
	secret, around = behindUser(secret, around, users)
	l.Value, l.around, l.Found = credential.NewSecret(secret), around, secret != ""
	l.Also = alsoIn(e.Data, field, secret)
	l.More, l.Plainly = more(secret)
	switch p := around.(type) {
	case padded:
		if l.More == "" {
			l.Within = p.within()
			l.More = l.Within
			if _, in := p.literally(secret); in != nil {
				l.More = "an address in which it may stand as it is, or percent-encoded"
			}
		}
	case afterUser:
		if l.More == "" {
			l.More = "the account's own name before it"
		}
	}
	l.Other, l.other = otherOf(text, secret, around)
	return l
}

// mayBeRead reports whether a field beside an empty one may be what consumers
// read: it holds something, and is not called a user's name.
func mayBeRead(key string, v any) bool {
	text, is := v.(string)
	return v != nil && (!is || text != "" && !isUserKey(key))
}

// AsItLies is the field as whoever asks Vault for it gets it, without the end
// of its line: for what is no password of an account, such as the key of a
// receiver, in which nothing is to be found that stands for another text.
func (l Live) AsItLies() credential.Secret {
	text, is := l.data[l.field].(string)
	if !is {
		return l.Value
	}
	return credential.NewSecret(strings.TrimRight(text, "\r\n"))
}

// PrivateKey is the whole of the field where that is a private key as its file
// has it. It is no bare secret, so that nobody writes over it; what only a
// person changes may be one.
func (l Live) PrivateKey() credential.Secret {
	text, _ := l.data[l.field].(string)
	whole := strings.TrimSpace(text)
	if l.Problem != credential.NotBare || !strings.Contains(whole, "PRIVATE KEY-----") && !strings.HasPrefix(whole, "PuTTY-User-Key-File") {
		return credential.Secret{}
	}
	return credential.NewSecret(whole)
}

// alsoIn are the other fields that hold a secret, in whatever form. A short one
// may be part of anything, and counts only as all of a text.
func alsoIn(data map[string]any, field, secret string) (keys []string) {
	if secret = strings.TrimRight(secret, "\r\n"); len(secret) < 4 {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if key != field && key != OwnerField && alsoAt(key, data[key], secret) {
			keys = append(keys, key)
		}
	}
	return keys
}

// telling is how long a secret is at least that is looked for within other
// texts.
const telling = 8

func alsoAt(key string, v any, secret string) bool {
	switch v := v.(type) {
	case string:
		if strings.TrimSpace(v) == secret {
			return !isUserKey(key)
		}
		return len(secret) >= telling && shows(v, secret)
	case json.Number:
		return v.String() == secret
	case map[string]any:
		for below, value := range v {
			if alsoAt(below, value, secret) || len(secret) >= telling && strings.Contains(below, secret) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(value any) bool { return alsoAt("", value, secret) })
	}
	return false
}

// Shows reports whether the field can be read to hold a secret, in whatever
// form.
func (l Live) Shows(secret credential.Secret) bool {
	return !secret.IsZero() && (shows(l.Value.Reveal(), secret.Reveal()) || shows(l.Other.Reveal(), secret.Reveal()))
}

// Activate makes value the one that consumers read, in exactly one write with
// all else in the secret as it was, and returns what is there then. from is the
// current version as the caller read it. A path that holds nothing is made,
// with owner beside the value (see Live.Owner) unless that is empty. What
// from.Problem says cannot be written is refused: the error is of kind Other
// and nothing was written.
//
// If the secret was written in between and only other fields differ, and lead
// nowhere else, Activate writes on top of them. If the field already holds
// value, a lost reply of an earlier call explains it and that is success. If
// the field holds anything else the error satisfies IsCASMismatch and nothing
// was written.
func (c *Client) Activate(ctx context.Context, p credential.Path, from Live, value credential.Secret, owner string) (Live, error) {
	const op = "activate a new value"
	now := from
	for range maxActivateTries {
		data, err := now.with(p.Field, value, owner)
		if err != nil {
			return Live{}, &Error{Op: op, Path: p.Mount + "/data/" + p.Path, Server: c.api.Address(), Kind: Other, Detail: err.Error()}
		}
		e, err := c.write(ctx, op, p.Mount, p.Path, now.Version, data)
		if err == nil {
			return now.replacedBy(e, p.Field, value), nil
		}
		if !IsCASMismatch(err) {
			return Live{}, err
		}
		mismatch := err
		if now, err = c.ReadLive(ctx, p, 0); err != nil {
			return Live{}, err
		}
		switch now = now.Like(from); {
		case now.Value.Equal(value):
			return now, nil
		case now.Found != from.Found, from.Found && now.Value.Reveal() != from.Value.Reveal():
			return Live{}, mismatch
		case now.Leads().Digest(nil) != from.Leads().Digest(nil):
			return Live{}, mismatch // it sends whoever reads it to another host by now
		}
	}
	return Live{}, &Error{Op: op, Path: p.Mount + "/data/" + p.Path, Server: c.api.Address(), Kind: CASMismatch,
		Detail: "other fields of the secret keep changing"}
}

// Takes reports why the field could not hold a value, or nil: a document may
// not be able to. Where it has two readings, either must hold it.
func (l Live) Takes(field string, value credential.Secret) error {
	_, err := l.with(field, value, "")
	if err == nil && !l.Other.IsZero() {
		_, err = l.AsOther().with(field, value, "")
	}
	return err
}

// with is the secret's data with another value in the field.
func (l Live) with(field string, value credential.Secret, owner string) (map[string]any, error) {
	parts, err := partsOf(field, value)
	if err != nil {
		return nil, err
	}
	if l.data == nil {
		if parts != nil {
			data := withParts(map[string]any{}, parts)
			if owner != "" {
				data[OwnerField] = owner
			}
			return data, nil
		}
		if !l.readsAs(value.Reveal(), value) {
			return nil, fmt.Errorf("in field %q the new value would be read as another one; nothing was written", field)
		}
		data := map[string]any{field: value.Reveal()}
		if owner != "" {
			data[OwnerField] = owner
		}
		return data, nil
	}
	if l.Problem != "" {
		return nil, fmt.Errorf("field %q: %s; nothing was written", field, l.Problem)
	}
	if parts != nil {
		return withParts(maps.Clone(l.data), parts), nil
	}
	text := value.Reveal()
	if l.around != nil {
		var ok bool
		if text, ok = l.around.around(text); !ok {
			return nil, fmt.Errorf("the document in field %q cannot hold the new value; nothing was written", field)
		}
	}
	// What is written has to be read as what was meant, also by a later
	// process.
	if !l.readsAs(text, value) {
		return nil, fmt.Errorf("in field %q the new value would be read as another one; nothing was written", field)
	}
	data := maps.Clone(l.data)
	data[field] = text
	return data, nil
}

// readsAs reports whether a value is what a text is read as.
func (l Live) readsAs(text string, value credential.Secret) bool {
	back, around, bare := unwrap(text)
	back, _ = behindUser(back, around, l.users)
	return bare && back == value.Reveal()
}

// Destroy destroys versions of a secret beyond recovery: those whose value was
// seen to be the credential's, or was made for it. activated is the version
// that holds all their other fields, and written is when Vault wrote it: if
// that version is not what it was, the secret was deleted and made anew, its
// version numbers mean other things, and nothing is destroyed. Neither is the
// current version, nor activated, nor what is newer. What is destroyed or gone
// already is no error.
//
// A version holds all fields of a secret. Where several credentials live in one
// secret, destroy only after the last of them is proved dead, or the old
// values of the others are lost to their proofs.
//
// current reports whether activated is what the secret's readers get: the
// newest version, neither deleted nor destroyed, and written when we wrote it.
// Where it is not, the caller must not give up its own copy of the value before
// it has seen another one.
func (c *Client) Destroy(ctx context.Context, p credential.Path, versions []int, activated int, written time.Time) (current bool, err error) {
	const op = "destroy old versions"
	at, err := c.at(ctx, p.Mount, "metadata", p.Path)
	if err != nil {
		return false, err
	}
	got, err := c.readSecret(ctx, at, nil)
	if err != nil {
		return false, c.Fail(op, at, Read, err)
	}
	if got == nil {
		return false, nil
	}
	known := nested(got, "versions")
	is := func(n int) (gone bool, created time.Time) {
		meta, _ := known[fmt.Sprint(n)].(map[string]any)
		gone, _ = meta["destroyed"].(bool)
		return gone, timeOf(meta["created_time"])
	}
	gone, created := is(activated)
	if gone || !created.Equal(written) {
		return false, nil
	}
	newest, _ := Number(got.Data["current_version"])
	meta, _ := known[fmt.Sprint(activated)].(map[string]any)
	deleted := timeOf(meta["deletion_time"])
	current = newest == activated && deleted.IsZero()
	var doomed []int
	for _, n := range versions {
		if gone, created := is(n); n < activated && !gone && created.Before(written) && !created.IsZero() {
			doomed = append(doomed, n)
		}
	}
	if doomed, err = c.heldToo(ctx, p, doomed, activated); err != nil || len(doomed) == 0 {
		return current, err
	}
	if at, err = c.at(ctx, p.Mount, "destroy", p.Path); err != nil { // no value is sent
		return false, err
	}
	if _, err := c.api.Logical().WriteWithContext(ctx, at, map[string]any{"versions": doomed}); err != nil {
		return false, c.Fail(op, at, Update, err)
	}
	return current, nil
}

// heldToo are those of versions all of whose other fields activated has as
// well. The one right before it is one of them: Activate wrote over it.
func (c *Client) heldToo(ctx context.Context, p credential.Path, versions []int, activated int) (out []int, err error) {
	var now *Live
	for _, n := range versions {
		if n == activated-1 {
			out = append(out, n)
			continue
		}
		if now == nil {
			l, err := c.ReadLive(ctx, p, activated)
			if err != nil {
				return nil, err
			}
			now = &l
		}
		old, err := c.ReadLive(ctx, p, n)
		if err != nil {
			return nil, err
		}
		same := true
		for key, value := range old.data {
			same = same && (slices.Contains(p.Fields(), key) || reflect.DeepEqual(value, now.data[key]))
		}
		if same && old.data != nil && old.heldIn(*now) {
			out = append(out, n)
		}
	}
	return out, nil
}

// heldIn reports whether what stands around the secret in its field stands
// there in another version too.
func (l Live) heldIn(now Live) bool {
	if l.Problem != "" || now.Problem != "" {
		return l.Problem == credential.NoField
	}
	was, ok := l.surroundings()
	is, too := now.surroundings()
	return ok && (was == "" || too && was == is)
}

// surroundings are the text of a document without its secret; empty if there is
// none.
func (l Live) surroundings() (string, bool) {
	if l.around == nil {
		return "", true
	}
	return aroundAnother(l.around)
}
