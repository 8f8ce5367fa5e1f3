package postgres

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func find(checks []Check, server, what string) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(k Check) bool { return k.What != what || server != "" && k.Server != server })
}

func wrongOf(checks []Check) (out []string) {
	for _, k := range checks {
		if !k.OK {
			out = append(out, k.What+": "+k.Detail)
		}
	}
	return out
}

func TestTheDoctorNamesWhatIsWrongAndWhatHelps(t *testing.T) {
	t.Parallel()
	super := asSuper(t)
	md5, _ := newRoleWith(t, "")
	exec(t, "SET LOCAL password_encryption = 'md5'; ALTER ROLE \""+scan(t, "SELECT rolname::text FROM pg_roles WHERE oid = "+md5)+"\" PASSWORD 'weak'")
	replicating, _, _ := newRole(t, "REPLICATION")
	expired, _, _ := newRole(t, "VALID UNTIL '2020-01-01'")
	none, _ := newRoleWith(t, "")
	checks := super.Check(t.Context(), md5, replicating, expired, none)
	for _, k := range checks {
		require.Equal(t, k.OK, k.Do == "", "%+v", k)
		require.Equal(t, k.Do == mendSync, k.Stops, "%+v", k) // the lab has none
	}
	// The lab has no fsync. pg_hba.conf of these tests lets in by trust and
	// ldap, which keeps the roles open that come in so, and nobody else.
	require.False(t, find(checks, primary.URL(), "md5")[0].OK)
	lines := find(checks, primary.URL(), "pg_hba")[0]
	require.True(t, lines.OK)
	require.Contains(t, lines.Detail, "line 1 lets in from 127.0.0.1 without a password (trust)")
	require.Contains(t, lines.Detail, "stays open (password-not-asked)")
	require.Len(t, wrongOf(find(checks, "", "account")), 3)
	require.Equal(t, []string{"settings: fsync = off"}, wrongOf(find(checks, "", "settings")))
	for _, what := range []string{"connect", "certificate", "login", "machine", "rights", "version", "pooler", "clock", "marks"} {
		for _, s := range super.Servers() {
			if what == "marks" && s == replica.URL() {
				continue
			}
			found := find(checks, s, what)
			require.NotEmpty(t, found, what)
			require.Empty(t, wrongOf(found))
		}
	}
	require.Empty(t, wrongOf(find(checks, "", "standbys")))

	checks = asAdmin(t).Check(t.Context(), replicating)
	require.True(t, find(checks, primary.URL(), "pg_hba")[0].NotChecked)
	require.True(t, find(checks, primary.URL(), "marks")[0].NotChecked)
	require.Empty(t, wrongOf(find(checks, "", "rights")))
	require.Len(t, wrongOf(find(checks, "", "account")), 1)

	alone := conf(primary)
	require.Len(t, wrongOf(find(open(t, alone, primary.AdminPassword).Check(t.Context()), "", "standbys")), 1)
	backwards := open(t, conf(replica, primary), primary.AdminPassword).Check(t.Context())
	require.True(t, find(backwards, "", "servers")[0].Stops)
	require.Contains(t, find(open(t, conf(primary), "wrong").Check(t.Context()), "", "login")[0].Do, "Vault")

	_, weak, weakValue := newRole(t, "IN ROLE by_trust")
	c := conf(primary)
	c.Admin.Role = weak
	checks = open(t, c, weakValue.Reveal()).Check(t.Context())
	require.Len(t, wrongOf(find(checks, "", "login")), 1, "no password was asked for")
	require.Len(t, wrongOf(find(checks, "", "rights")), 2)
}

func TestAPairIsTwoRolesOfWhichEachMaySetTheOther(t *testing.T) {
	t.Parallel()
	c := conf(primary)
	c.Partner = Identity{Role: primary.Partner}
	client := open(t, c, primary.AdminPassword, primary.PartnerPassword)
	pair := find(client.Check(t.Context()), "", "pair")
	require.Len(t, pair, 2)
	require.Empty(t, wrongOf(pair))
	c.Partner.Role = primary.Super
	pair = find(open(t, c, primary.AdminPassword, primary.SuperPassword).Check(t.Context()), "", "pair")
	require.Len(t, wrongOf(pair), 1, "a superuser is for superusers")
	c.Partner.Role = c.Admin.Role
	_, err := Open("db", c, held("a"), held("b"))
	require.ErrorContains(t, err, "two roles")
}
