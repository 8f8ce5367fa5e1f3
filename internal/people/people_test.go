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
	v := Judge(by(alice, Statement{Does: Done, End: "Gateway", Note: "at noon", SHA256: strings.Repeat("a1", 32)}), alice, nil, both, Roll{})
	require.Equal(t, Verdict{Ends: []int{0}}, v)
	v = Judge(by(bob, Statement{Does: Done, End: "NPS"}), bob, nil, both, Roll{})
	require.Equal(t, Verdict{Ends: []int{1}}, v)
	v = Judge(by(alice, Statement{Does: Reassign, Note: "on leave", To: "bob"}), alice, &bob, both[:1], Roll{})
	require.Equal(t, Verdict{Ends: []int{0}}, v)
}

func TestAWordThatCountsForNothing(t *testing.T) {
	roll := NewRoll([]string{"corp/Peggy@example.org"}).Take([]credential.Credential{
		{Kind: credential.UserpassPassword, Subject: "userpass/Mallory", Name: "userpass/mallory"},
		{Kind: credential.UserPassword, Logins: []credential.VaultLogin{{Mount: "corp-ldap", Names: []string{"Eve", "eve@corp"}}}},
		{Kind: credential.ADPassword, Names: []string{"OSCAR", "oscar.m@ad.example.org"}},
		{Kind: credential.ADPassword, Names: []string{"peggy"}},
	}, []credential.Exclusion{{ID: "vault/userpass/trent", Logins: []string{"userpass/trent"}, Names: []string{"trent.t"}}})
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
		{"a provider of identities asks the same directory", done, with(Login{"oidc", "corp", "oscar@example.org"}), nil, both, "name of an account that is on the roll", true},
		{"by its whole name", done, with(Login{"saml", "sso", "Oscar.M@ad.example.org"}), nil, both, "name of an account", true},
		{"by the part before the @ of another name", done, with(Login{"okta", "okta", "oscar.m@example.com"}), nil, both, "name of an account", true},
		{"with a domain before it", done, with(Login{"radius", "radius", `CORP\Oscar`}), nil, both, "name of an account", true},
		{"with a realm behind it", done, with(Login{"kerberos", "krb", "oscar@CORP.EXAMPLE.ORG"}), nil, both, "name of an account", true},
		{"a directory that nobody knows of", done, with(Login{"ldap", "other", "oscar"}), nil, both, "name of an account", true},
		{"an account that was left out", done, with(Login{"oidc", "corp", "trent.t@example.org"}), nil, both, "name of an account", true},
		{"a userpass user's name elsewhere", done, with(Login{"oidc", "corp", "mallory@example.org"}), nil, both, "name of an account", true},
		{"accepted, at another mount", done, with(Login{"oidc", "partner", "peggy@example.org"}), nil, both, "name of an account", true},
		{"a certificate, perhaps the device's", done, with(Login{"cert", "cert", "anybody"}), nil, both, "kind that machines have (cert)", true},
		{"a pipeline's token", done, with(Login{"jwt", "ci", "repo:x"}), nil, both, "kind that machines have (jwt)", true},
		{"to oneself, what one has", Statement{Does: Reassign, End: "gateway", To: "alice", Note: "why"}, alice, &alice, both, "that person's already", false},
		{"to whoever has it", Statement{Does: Reassign, End: "NPS", To: "bob", Note: "why"}, alice, &bob, both, "that person's already", false},
		{"a line that hides another", Statement{Does: Done, End: "gateway", Note: "ok\x1b[2K\rPLANTED"}, alice, nil, both, "control character", false},
		{"text that turns round", Statement{Does: Done, End: "gateway", Note: "\u202ePLANTED"}, alice, nil, both, "control character", false},
		{"two lines", Statement{Does: Reassign, End: "gateway", To: "bob", Note: "a\nb"}, alice, &bob, both, "control character", false},
		{"no text", Statement{Does: Done, End: "gateway\xff"}, alice, nil, both, "control character", false},
		{"a name without end", Statement{Does: Reassign, End: "gateway", To: strings.Repeat("b", 129), Note: "why"}, alice, &bob, both, "more than 128 bytes", false},
		{"to oneself", Statement{Does: Reassign, End: "NPS", To: "alice", Note: "why"}, alice, &alice, both, "nobody takes a task himself", true},
		{"to nobody", give, alice, nil, both, "no entity and no login", false},
		{"to a machine", give, alice, &Person{ID: "e-x", Name: "x", Logins: []Login{{"approle", "approle", "r"}}}, both, "does not count", true},
		{"without a reason", Statement{Does: Reassign, End: "gateway", To: "bob"}, alice, &bob, both, "or why", false},
		{"what is done", give, alice, &bob, doneAlready, "done already", false},
		{"a hash that is none", Statement{Does: Done, End: "gateway", SHA256: "PLANTED"}, alice, nil, both, "sha256", false},
		{"an address with a login in it", Statement{Does: Done, End: "gateway", Note: "set at https://admin:PLANTED@gw.example"}, alice, nil, both, "an address with a login in it", false},
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
		v := Judge(s, p, &bob, both, Roll{Logins: map[string]bool{"userpass/mallory": true}})
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

// What counts although its name, or the sort of login, is a thief's as well.
func TestALoginThatAPersonAcceptedIsSomebodysOwn(t *testing.T) {
	t.Parallel()
	roll := NewRoll([]string{"corp/oscar@example.org", "cert/Bob Smith", "approle/role", "ldap/oscar"}).Take([]credential.Credential{
		{Kind: credential.ADPassword, Names: []string{"oscar"}, Logins: []credential.VaultLogin{{Mount: "ldap", Names: []string{"oscar"}}}},
		{Kind: credential.AnyByHand, Name: "bob", Subject: "esg-01/bob", Task: &credential.Task{}},
	}, nil)
	of := func(l Login) string { return Person{ID: "e", Name: "n", Logins: []Login{l}}.Doubt(roll) }
	for _, l := range []Login{{"oidc", "corp", "Oscar@example.org"}, {"cert", "cert", "bob smith"}, {"userpass", "people", "oscar"}, {"oidc", "corp", "bob@example.org"}, {"oidc", "corp", "oscarine@example.org"}} {
		require.Empty(t, of(l), l)
	}
	require.Contains(t, of(Login{"approle", "approle", "role"}), "login of a machine", "nothing makes a person of it")
	require.Contains(t, of(Login{"ldap", "ldap", "oscar"}), "on the roll", "its password is stolen, whoever has it")
	require.Contains(t, of(Login{"oidc", "partner", "oscar@example.org"}), "accept: - {vault: auth/MOUNT/NAME")
}

// A word that the value of a task is not to be used is about all ends, and
// whoever counts may say it. What is said of the value before it counts no
// more, and looks like no attack.
func TestAValueThatIsDiscardedIsNobodysDeed(t *testing.T) {
	t.Parallel()
	seen := Statement{Does: Renew, Note: "read out on the phone"}
	ends := []End{{Name: "gateway", Entity: "e-alice", Since: opened, Done: true, Made: true}, {Name: "NPS", Entity: "e-bob", Since: opened.Add(time.Hour), Made: true}}
	require.Equal(t, Verdict{Ends: []int{0, 1}}, Judge(by(bob, seen), bob, nil, ends, Roll{}), "also what is done is done anew")
	with := func(change func(*End)) (out []End) {
		for _, e := range ends {
			change(&e)
			out = append(out, e)
		}
		return out
	}
	on := with(func(e *End) { e.Renewing, e.Renewed, e.Done = true, true, false })
	handed := with(func(e *End) { e.Renewed, e.Done, e.Since = true, false, opened.Add(2*time.Hour) })
	stolen := Person{ID: "e-bob", Name: "bob", Logins: []Login{{"approle", "approle", "x"}}}
	done := Statement{Does: Done, End: "gateway"}
	for name, c := range map[string]struct {
		s       Statement
		by      Person
		ends    []End
		why     string
		suspect bool
	}{
		"no reason":                    {Statement{Does: Renew}, bob, ends, "why", false},
		"one end":                      {Statement{Does: Renew, Note: "x", End: "NPS"}, bob, ends, "that of all ends", false},
		"a machine":                    {seen, stolen, ends, "login of a machine", true},
		"no value":                     {seen, bob, both, "made no value", false},
		"another is on its way":        {seen, bob, on, "on its way already", false},
		"of the one before":            {seen, bob, handed, "handed over since", false},
		"before the task was opened":   {Statement{Does: Renew, Note: "x", At: opened.Add(-time.Second)}, bob, ends[:1], "before anything was handed over", true},
		"done while there is none":     {done, alice, on, "another is on its way", false},
		"done, said of the one before": {done, alice, handed, "another value was handed over since", false},
	} {
		v := Judge(by(c.by, c.s), c.by, nil, c.ends, Roll{})
		require.Contains(t, v.Refused, c.why, name)
		require.Equal(t, c.suspect, v.Suspect, name)
		require.Empty(t, v.Ends, name)
	}
	done.At = opened.Add(3 * time.Hour)
	require.Equal(t, Verdict{Ends: []int{0}}, Judge(by(alice, done), alice, nil, handed, Roll{}))
}
