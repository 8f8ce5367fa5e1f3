package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// heldBy says whether bob, whom a tag alone names, waits for a person because
// of another candidate.
func heldBy(t *testing.T, c *config.Campaign, other Candidate, more ...Candidate) bool {
	t.Helper()
	roll, _, err := merge(c, append([]Candidate{from(t, "ldap "+person("bob").Name+" -"), other}, more...), people(), nil)
	require.NoError(t, err)
	return byName(roll)[person("bob").Name].Problem == credential.PerhapsIts
}

func TestAnAccountIsNotCutOffFromAFieldThatIsCalledAfterItInAnyForm(t *testing.T) {
	field := func(name string) Candidate {
		c := from(t, "kv alice kv/apps/list#password")
		c.Fields = []string{"password", name}
		return c
	}
	for _, name := range []string{"bob", "bob_password", "password_bob", "PASSWORD_BOB", "pw-bob", "bobPassword", "BobPw", "BOB_LDAP_PASSWORD", "bob_bind_password",
		"ldap_bob", "bob-credentials", "bob_psk", "svc_bob_password", "bob_password_new", "smtp-password-bob", "bob@example.org", "bob_pass_1", "bob__password", "bob:password", "bob/password",
		"bobpw", "bobpassword", "svcbobpassword", "LDAPPWBOB", "PWBOB", "bobpw2", "ldapbobkey", "bobldap_password"} {
		require.True(t, heldBy(t, campaign(), field(name)), name)
	}
	for _, name := range []string{"bobby_password", "password", "alice_bob_password", "bo_b2", "bobbypw", "kabobpw", "bobcat_password", "bobldap", "note about bob and what he may do with it in the office on Monday"} {
		require.False(t, heldBy(t, campaign(), field(name)), name)
	}
	require.True(t, heldBy(t, campaign(), Candidate{Kind: credential.LDAPPassword, Authority: "corp", Path: &credential.Path{Mount: "kv", Path: "apps/env", Field: "all"}, Settings: []string{"LDAP_PASSWORD_BOB"}, Fields: []string{"all"}}))
}

func TestAnAccountIsNotCutOffFromASecretThatIsCalledAfterItInAnyForm(t *testing.T) {
	secret := func(path string) Candidate { return from(t, "kv - kv/apps/"+path+"#password") }
	for _, path := range []string{"bob", "BOB", "bob/ldap", "bob/password", "ldap/bob/current", "bob-ldap", "ldap-bob", "bob.ldap", "bob-password", "bob@example.org", "bob_svc"} {
		require.True(t, heldBy(t, campaign(), secret(path)), path)
	}
	for _, path := range []string{"bobby", "bob-and-alice", "ldap/password"} {
		require.False(t, heldBy(t, campaign(), secret(path)), path)
	}
	// What a source's prefix has, all that it lists has.
	c := campaign()
	c.Sources = []config.Source{{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/bob"}}
	require.False(t, heldBy(t, c, secret("bob/ldap")))
	require.True(t, heldBy(t, c, secret("bob/x/bob")))
}

// Of two accounts the one is meant whose name is longer, and one that is called
// as anything may be is meant by its whole name alone.
func TestALongerNameIsMeantBeforeAShorterOne(t *testing.T) {
	s := spelledSo{}
	bob, svc, ldap := &draft{short: "bob"}, &draft{short: "relay-bob"}, &draft{short: "ldap"}
	s.add("corp", "bob", bob)
	s.add("corp", `EXAMPLE\relay-bob`, svc)
	s.add("corp", "ldap@example.org", ldap)
	s.add("corp", "42", ldap)
	require.Equal(t, []*draft{svc}, s.in("corp", "RELAY_BOB_PASSWORD"))
	require.Equal(t, []*draft{svc}, s.in("corp", "relayBob"))
	require.Equal(t, []*draft{bob}, s.in("corp", "svc-bob-ldap"))
	require.Equal(t, []*draft{ldap}, s.in("corp", "LDAP"))
	require.Empty(t, s.in("corp", "ldap_password"), "of which calledAfter decides")
	require.Empty(t, s.in("corp", "42"))
	require.Empty(t, s.in("vault", "bob"))
}
