package rotation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// twoParts are the traits of a kind that no build has: a certificate and its
// key, of which each path names the fields.
var twoParts = credential.Traits{Kind: "test-pair", Word: "pair", Field: "certificate", More: []string{"key"}}

// inParts is a value of such a kind, as one text.
func inParts(name string) string {
	return credential.NewParts(secret(name+"-certificate"), secret(name+"-key")).Reveal()
}

// newPair is a world whose values have two parts.
func newPair(n int) *world {
	w := newWorld(n, inParts("P0"))
	w.parts, w.field = true, twoParts.Fields()
	w.cred.Spare.Field = w.field
	w.cred.Paths, w.cred.Named = nil, nil
	w.addPath("app", inParts("P0"))
	return w
}

// value is what a version holds at a path, as one text.
func (v version) value(p credential.Path) (string, bool) {
	fields := p.Fields()
	if len(fields) == 1 {
		text, has := v.fields[p.Field]
		return text, has
	}
	var parts []credential.Secret
	some := false
	for _, f := range fields {
		parts = append(parts, secret(v.fields[f]))
		some = some || v.fields[f] != ""
	}
	if !some {
		return "", false
	}
	return credential.NewParts(parts...).Reveal(), true
}

// put writes a value at a path.
func (v version) put(p credential.Path, value string) {
	parts, several := secret(value).Parts()
	if !several {
		v.fields[p.Field] = value
		return
	}
	for i, f := range p.Fields() {
		v.fields[f] = parts[i].Reveal()
	}
}

// pairs are stories of values with several parts. Each call of them fails in
// each way with those of the others (crash_test.go).
var pairs = []story{
	{"a value of two parts", func() *world { return newPair(2) }, protocol.ProofBind},
	{"a value of two parts, at two paths, of which one does not exist yet", func() *world {
		w := newPair(1)
		w.addPath("second", "")
		return w
	}, protocol.ProofBind},
	{"a value of two parts, and a path with the certificate and the key of another", func() *world {
		w := newPair(1)
		w.theirs[inParts("P0")] = true
		w.secrets["kv/app"].versions[0].fields["key"], w.foreign["kv/app"] = "of-another", true
		return w
	}, protocol.ProofMetadata},
	{"a value of two parts, taken over from a campaign that ended between Set and Activate", func() *world {
		w := leftBehind(newPair(1), inParts("P0"), inParts("Q"))
		w.change(inParts("Q"))
		return w
	}, protocol.ProofBind},
}

// oneValue holds each path to it that whoever reads it meets the parts of one
// value, at every moment.
func (w *world) oneValue() {
	for _, p := range w.paths() {
		vs := w.secrets[place(p)].versions
		if fields := p.Fields(); w.parts && len(vs) > 0 && !vs[len(vs)-1].strangers {
			now := vs[len(vs)-1].fields
			if strings.TrimSuffix(now[fields[0]], "-certificate") != strings.TrimSuffix(now[fields[1]], "-key") {
				w.fail("%s holds parts of two values", p)
			}
		}
	}
}

// What stands beside the parts stays, and nothing of them is said.
func TestPartsOfOneValueChangeTogetherAndAreNeverSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPair(2)
		w.secrets["kv/app"].versions[0].fields["host"] = "www"
		a := w.rotate(t, false, "a value of two parts")
		last := w.secrets["kv/app"].versions[len(w.secrets["kv/app"].versions)-1].fields
		require.Equal(t, map[string]string{"certificate": "S1-certificate", "key": "S1-key", "username": "svc", "host": "www"}, last)
		text, err := json.Marshal(a)
		require.NoError(t, err)
		for _, said := range []string{string(text), fmt.Sprintf("%+v", a)} {
			for _, part := range []string{"S1-", "P0-", "-key", "rollcall-parts"} {
				require.NotContains(t, said, part)
			}
		}
	})
}
