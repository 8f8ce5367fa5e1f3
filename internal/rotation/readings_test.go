package rotation

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/recheck"
)

// sets gives an account another password, as an administrator.
func (r *real) sets(dn, password string) {
	r.admin(r.slapd, func(conn *ldap.Conn) error {
		_, err := conn.PasswordModify(ldap.NewPasswordModifyRequest(dn, "", password))
		return err
	})
}

// What a field holds may be read in two ways. The account says which is meant:
// it is offered one after the other, and at a threshold of three that locks
// nobody.
func TestTheAccountDecidesHowWhatItsFieldHoldsIsRead(t *testing.T) {
	r := newReal(t, lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}})
	v := startRealVault(t)
	b64, raw := base64.StdEncoding, base64.RawURLEncoding
	around := func(before, after string) func(string) string {
		return func(value string) string { return before + value + after }
	}
	encoded := func(e *base64.Encoding, before, after string) func(string) string {
		return func(value string) string { return e.EncodeToString([]byte(before + value + after)) }
	}
	bare := around("", "")
	for i, row := range []struct {
		name     string
		holds    string // with PW for the password
		password string
		users    []string
		then     func(value string) string // what consumers read afterwards
		open     bool
	}{
		{name: "a user and a password", holds: "svc0001:PW", users: []string{"svc0001"}, then: around("svc0001:", "")},
		{name: "that, as a line", holds: `CORP\svc0001 PW` + "\n", users: []string{`CORP\svc0001`}, then: around(`CORP\svc0001 `, "\n")},
		{name: "that, in base64", holds: b64.EncodeToString([]byte("svc0001:hunter2-hunter")), password: "hunter2-hunter", users: []string{"svc0001"}, then: encoded(b64, "svc0001:", "")},
		{name: "the whole is the password", holds: "svc0001:PW", password: "svc0001:PW", users: []string{"svc0001"}, then: bare},
		{name: "somebody else's name", holds: "other:PW", open: true},
		{name: "somebody else's name is a part of the password", holds: "other:PW", password: "other:PW", then: bare},
		{name: "neither", holds: "svc0001:stale-stale", users: []string{"svc0001"}, open: true},
		{name: "a password that reads as a setting", holds: "password=x1y2z3", password: "password=x1y2z3", then: bare},
		{name: "as a setting, with the end of a line", holds: "pwd=x1y2z3\n", password: "pwd=x1y2z3", then: bare},
		{name: "a setting", holds: "password=PW", then: around("password=", "")},
		{name: "a password in quotes", holds: `"PW"`, password: `"PW"`, then: bare},
		{name: "quotes", holds: `"PW"`, then: around(`"`, `"`)},
		{name: "a password that reads as base64", holds: "aHVudGVyMi1odW50ZXIy", password: "aHVudGVyMi1odW50ZXIy", then: bare},
		{name: "base64 that shows no padding", holds: "aHVudGVyMi1odW50ZXIy", password: "hunter2-hunter2", then: encoded(raw, "", "")},
		{name: "short base64", holds: "aHVudGVyMi14", password: "hunter2-x", then: encoded(raw, "", "")},
		{name: "a password that reads as short base64", holds: "aHVudGVyMi14", password: "aHVudGVyMi14", then: bare},
		{name: "Basic", holds: "Basic " + b64.EncodeToString([]byte("svc0001:hunter2-x")), password: "hunter2-x", then: func(value string) string { return "Basic " + encoded(b64, "svc0001:", "")(value) }},
		{name: "an address", holds: "ldap://svc:a%2Fb-PW@h:389/x", password: "a/b-PW", then: around("ldap://svc:", "@h:389/x")},
		{name: "an address that nobody decodes", holds: "ldap://svc:a%2Fb-PW@h:389/x", password: "a%2Fb-PW", then: around("ldap://svc:", "@h:389/x")},
		{name: "a parameter that nobody decodes", holds: "jdbc:postgresql://db/x?user=svc&password=a%2Fb-PW&ssl=true", password: "a%2Fb-PW", then: around("jdbc:postgresql://db/x?user=svc&password=", "&ssl=true")},
		{name: "an address in quotes that nobody decodes", holds: `"ldap://svc:a%2Fb-PW@h:389/x"`, password: "a%2Fb-PW", open: true},
		{name: "more than a server takes in a login", holds: strings.Repeat("x", 300_000), open: true},
	} {
		// One account after the other stands for all of them.
		c := r.credential(i % len(r.accounts))
		password := r.accounts[i%len(r.accounts)].Password
		if row.password != "" {
			password = strings.ReplaceAll(row.password, "PW", password)
		}
		r.sets(c.Name, password)
		at := v.at("kv", "readings/"+strings.ReplaceAll(row.name, " ", "-"))
		holds := strings.ReplaceAll(row.holds, "PW", r.accounts[i%len(r.accounts)].Password)
		v.puts(at, holds)
		c.ID += "." + strings.ReplaceAll(row.name, " ", "-")
		own := v.at("kv", "own/"+at.Path)
		c.Paths, c.Named, c.Users, c.Spare = []credential.Path{at}, []credential.Path{at}, row.users, &own
		rot := r.rotator()
		rot.Store = v.store
		p := rot.Prepare(t.Context(), c)
		require.Nil(t, p.Stop, row.name)
		a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
		rot.Confirm(t.Context(), []Verdict{{c, &a}})
		require.Empty(t, r.attribute(r.slapd, c.Name, "pwdAccountLockedTime"), row.name)
		require.Equal(t, !row.open, a.Dead(), "%s: %v", row.name, a.Stop)
		require.Equal(t, row.open, r.logsIn(r.slapd, c.Name, password), row.name)
		if row.open {
			require.Equal(t, protocol.ReasonNotBare, a.Stop.Reason, row.name)
			require.Equal(t, holds, v.gets(at), row.name)
			continue
		}
		require.Equal(t, protocol.ProofBind, a.Proof, row.name)
		live, err := rot.read(t.Context(), c, at, 0)
		require.NoError(t, err)
		require.True(t, r.logsIn(r.slapd, c.Name, live.Value.Reveal()), row.name)
		require.Equal(t, row.then(live.Value.Reveal()), v.gets(at), row.name)
		lost, err := rot.Clean(t.Context(), c, a.ToClean())
		require.NoError(t, err, row.name)
		require.Nil(t, lost, row.name)
		looked := rot.Recheck(t.Context(), []recheck.Proved{provedOf(c, a)})[0]
		require.Nil(t, looked.Stop, row.name)
	}
}
