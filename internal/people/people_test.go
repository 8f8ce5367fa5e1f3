package people

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
)

var opened = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

var (
	alice = Person{ID: "e-alice", Name: "alice", Logins: []Login{{"userpass", "userpass", "alice"}}}
	bob   = Person{ID: "e-bob", Name: "bob", Logins: []Login{{"oidc", "corp", "bob@example.org"}}}
	both  = []End{{Name: "gateway", Entity: "e-alice", Since: opened}, {Name: "NPS", Entity: "e-bob", Since: opened}}
)

func by(p Person, s Statement) Statement {
	s.Entity = p.ID
	if s.At.IsZero() {
		s.At = opened.Add(time.Minute)
	}
	return s
}

func TestOnesWordCountsForOnesOwnEnd(t *testing.T) {
	v := Judge(by(alice, Statement{Does: Done, End: "Gateway", Note: "at noon", SHA256: strings.Repeat("a1", 32)}), alice, nil, both, nil)
	require.Equal(t, Verdict{Ends: []int{0}}, v)
	v = Judge(by(bob, Statement{Does: Done, End: "NPS"}), bob, nil, both, nil)
	require.Equal(t, Verdict{Ends: []int{1}}, v)
	v = Judge(by(alice, Statement{Does: Reassign, Note: "on leave", To: "bob"}), alice, &bob, both[:1], nil)
	require.Equal(t, Verdict{Ends: []int{0}}, v)
}

func TestAWordThatCountsForNothing(t *testing.T) {
	roll := LoginsOf([]credential.Credential{
		{Kind: credential.UserpassPassword, Subject: "userpass/Mallory", Name: "userpass/mallory"},
		{Kind: credential.UserPassword, Logins: []credential.VaultLogin{{Mount: "corp-ldap", Names: []string{"Eve", "eve@corp"}}}},
	}, []credential.Exclusion{{ID: "vault/userpass/trent", Logins: []string{"userpass/trent"}}})
	with := func(l ...Login) Person { return Person{ID: "e-alice", Name: "alice", Logins: l} }
	done := Statement{Does: Done, End: "gateway"}
	give := Statement{Does: Reassign, End: "gateway", To: "bob", Note: "why"}
	doneAlready := []End{{Name: "gateway", Entity: "e-alice", Since: opened, Done: true}}
	for _, tc := range []struct {
		name    string
		s       Statement
		by      Person
		to      *Person
		ends    []End
		why     string
		suspect bool
	}{
		{"somebody else's end", Statement{Does: Done, End: "NPS"}, alice, nil, both, "somebody else's", true},
		{"an end that there is not", Statement{Does: Done, End: "moon"}, alice, nil, both, "no such end", false},
		{"no end", Statement{Does: Done}, alice, nil, both, "at which end", false},
		{"the same end twice", done, alice, nil, doneAlready, "done already", false},
		{"before it was opened", Statement{Does: Done, End: "gateway", At: opened.Add(-time.Nanosecond)}, alice, nil, both, "written before", true},
		{"nobody", done, Person{}, nil, both, "no such entity", true},
		{"another entity than the place's", done, bob, nil, both, "no such entity", true},
		{"disabled", done, Person{ID: "e-alice", Name: "alice", Disabled: true, Logins: alice.Logins}, nil, both, "disabled", true},
		{"without a login", done, with(), nil, both, "no login", true},
		{"an AppRole, perhaps Rollcall's own", done, with(Login{"approle", "approle", "0a1b"}), nil, both, "login of a machine", true},
		{"one of a machine besides", done, with(alice.Logins[0], Login{"kubernetes", "k8s", "x"}), nil, both, "login of a machine", true},
		{"a login of the roll", done, with(Login{"userpass", "userpass", "mallory"}), nil, both, "on the roll", true},
		{"a login of the roll, spelt otherwise", done, with(Login{"userpass", "userpass", "MALLORY"}), nil, both, "on the roll", true},
		{"a login that was left out of the roll", done, with(Login{"userpass", "userpass", "Trent"}), nil, both, "left out of it", true},
		{"a password of the roll opens it", done, with(Login{"ldap", "corp-ldap", "eve"}), nil, both, "on the roll", true},
		{"to oneself", Statement{Does: Reassign, End: "NPS", To: "alice", Note: "why"}, alice, &alice, both, "nobody takes a task himself", true},
		{"to nobody", give, alice, nil, both, "no entity and no login", false},
		{"to a machine", give, alice, &Person{ID: "e-x", Name: "x", Logins: []Login{{"approle", "approle", "r"}}}, both, "does not count", true},
		{"without a reason", Statement{Does: Reassign, End: "gateway", To: "bob"}, alice, &bob, both, "or why", false},
		{"what is done", give, alice, &bob, doneAlready, "done already", false},
		{"a hash that is none", Statement{Does: Done, End: "gateway", SHA256: "PLANTED"}, alice, nil, both, "sha256", false},
		{"nothing", Statement{}, alice, nil, both, "does not say what", false},
		{"a novel", Statement{Does: Done, End: "gateway", Note: strings.Repeat("x", 501)}, alice, nil, both, "longer", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := tc.s
			if s.At.IsZero() {
				s.At = opened.Add(time.Minute)
			}
			s.Entity = "e-alice"
			v := Judge(s, tc.by, tc.to, tc.ends, roll)
			require.Contains(t, v.Refused, tc.why)
			require.Equal(t, tc.suspect, v.Suspect)
			require.Empty(t, v.Ends)
			require.NotContains(t, v.Refused, "PLANTED")
		})
	}
}

// Whatever is written: what counts is of an open end whose owner wrote it,
// after it was his, by a login that is nobody else's.
func TestWhateverIsStatedOnlyAnOwnersWordCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
		s := Statement{Does: Does(pick("does", "done", "reassign", "")), End: pick("end", "gateway", "NPS", "", "x"), To: pick("to", "", "bob"), Note: pick("note", "", "n"),
			Entity: pick("entity", "e-alice", "e-bob", ""), At: opened.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "at")) * time.Second)}
		p := Person{ID: pick("id", "e-alice", "e-bob", ""), Name: "n", Logins: []Login{{pick("method", "userpass", "approle"), "userpass", pick("login", "alice", "mallory")}}}
		v := Judge(s, p, &bob, both, map[string]bool{"userpass/mallory": true})
		if (v.Refused == "") != (len(v.Ends) > 0) {
			t.Fatalf("%+v", v)
		}
		for _, i := range v.Ends {
			ok := p.ID == s.Entity && p.Logins[0].Method != "approle" && p.Logins[0].Name != "mallory" && !s.At.Before(opened)
			if !ok || s.Does == Done && both[i].Entity != p.ID || s.Does == Reassign && p.ID == bob.ID {
				t.Fatalf("%+v by %+v: %+v", s, p, v)
			}
		}
	})
}
