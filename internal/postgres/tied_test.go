package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

// names are those of what was found, with why.
func names(found authority.Tied) map[string]string {
	out := map[string]string{}
	for _, a := range found.Accounts {
		out[a.Name] = found.Why[a.Subject]
	}
	return out
}

func codes(warnings []credential.Finding) (out []credential.FindingCode) {
	for _, w := range warnings {
		out = append(out, w.Code)
	}
	return out
}

func TestRolesAreListedByNameMembershipAndWhereTheyLogInFrom(t *testing.T) {
	_, plain, _ := newRole(t, "")
	mark := plain + "x" // of this test alone
	exec(t, `CREATE ROLE "`+mark+`-group"`, `CREATE ROLE "`+mark+`-sub" IN ROLE "`+mark+`-group"`)
	exec(t, `CREATE ROLE "`+mark+`-deep" LOGIN PASSWORD 'x' IN ROLE "`+mark+`-sub"`, `CREATE ROLE "`+mark+`-super" LOGIN SUPERUSER PASSWORD 'x'`,
		`CREATE ROLE "`+mark+`-walsender" LOGIN REPLICATION PASSWORD 'x'`, `CREATE ROLE "`+mark+`-none" LOGIN`,
		`CREATE ROLE "`+mark+`-cert" LOGIN PASSWORD 'x' IN ROLE by_cert`, `CREATE ROLE "`+mark+`-nologin" PASSWORD 'x' IN ROLE "`+mark+`-group"`,
		`CREATE ROLE "`+mark+`-/host@EXAMPLE.ORG" LOGIN PASSWORD 'x'`, `CREATE ROLE "`+mark+`-owner" IN ROLE "`+mark+`-group"`)
	require.NoError(t, replica.AwaitReplication(t.Context()))
	super := system(t, primary.Super, primary.SuperPassword)
	tied := func(s *System, by authority.Ties) authority.Tied {
		found, err := s.Tied(t.Context(), by)
		require.NoError(t, err)
		return found
	}
	found := tied(super, authority.Ties{Name: mark + "-*"})
	why := "role name matches " + mark + "-*"
	require.Equal(t, map[string]string{mark + "-deep": why, mark + "-super": why, mark + "-walsender": why, mark + "-none": why, mark + "-cert": why,
		mark + "-nologin": why, mark + "-/host@EXAMPLE.ORG": why}, names(found), "and none that has no password to log in with, whoever lets it")
	require.Empty(t, found.Warnings)
	for _, a := range found.Accounts {
		want := map[string][]credential.Problem{
			"-super": {credential.ServerRole}, "-none": {credential.NoPassword},
		}[strings.TrimPrefix(a.Name, mark)]
		require.Equal(t, want, problems(a), a.Name)
		require.Empty(t, a.Findings, a.Name)
		seen, err := super.LookAt(t.Context(), []authority.Account{a})
		require.NoError(t, err)
		switch a.Name {
		case mark + "-cert":
			require.Contains(t, told(seen, a.Subject, credential.NotAsked), "by something else than its password (cert)")
			require.Contains(t, told(seen, a.Subject, credential.NotAsked), replica.URL(), "each server has a file of its own")
		case mark + "-walsender":
			require.Contains(t, told(seen, a.Subject, credential.Replicates), "it has REPLICATION")
		default:
			require.Empty(t, seen.Problems, a.Name)
		}
	}
	require.Equal(t, map[string]string{mark + "-deep": "member of " + mark + "-group", mark + "-nologin": "member of " + mark + "-group"}, names(tied(super, authority.Ties{MemberOf: mark + "-group"})), "through another role, and no superuser")
	require.Empty(t, names(tied(super, authority.Ties{Name: strings.ToUpper(mark) + "-*"})), "names are compared by their very text")
	_, err := super.Tied(t.Context(), authority.Ties{MemberOf: mark + "-of-nobody"})
	require.ErrorContains(t, err, "no role is called as member_of says")
	require.NotContains(t, err.Error(), mark)

	// A worker that sees no pg_hba.conf, and not who has a password, says so.
	weak := system(t, primary.Admin, primary.AdminPassword)
	found = tied(weak, authority.Ties{Name: mark + "-*"})
	require.Len(t, found.Accounts, 7)
	require.Empty(t, found.Warnings, "that pg_hba.conf is hidden LookAt says")
	require.Contains(t, codes(tied(weak, authority.Ties{Network: "192.0.2.0/24"}).Warnings), credential.FindingRulesHidden, "a line there may tie a role")
	for _, a := range found.Accounts {
		require.False(t, a.SecretHidden, "it sees who has one (the function of the documents)")
	}
	blind := newWorker(t)
	found = tied(system(t, blind, "of-the-blind"), authority.Ties{Name: mark + "-*"})
	require.Len(t, found.Accounts, 8)
	require.Contains(t, names(found), mark+"-owner", "it may have a password")
	require.NotContains(t, names(found), mark+"-group", "a group")
	for _, a := range found.Accounts {
		require.True(t, a.SecretHidden, "the listing warns of it")
	}

	// Sessions on any server tie a role, and lines that name it.
	conn, err := replica.Connect(t.Context(), mark+"-deep", "x", "postgres")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	from := names(tied(weak, authority.Ties{Network: "127.0.0.0/8"}))
	require.Equal(t, "logged in at "+strings.TrimPrefix(replica.URL(), "postgresql://")+" from 127.0.0.1", from[mark+"-deep"])
	require.NotContains(t, from, mark+"-none")
	require.Empty(t, names(tied(weak, authority.Ties{Network: "192.0.2.0/24"})))
	from = names(tied(super, authority.Ties{Network: "127.0.0.1/32"}))
	require.Contains(t, from[mark+"-cert"], "of pg_hba.conf of "+primary.URL()+" lets it in from 127.0.0.1")
	require.NotContains(t, from, mark+"-none", "a line for all ties nobody")

	exec(t, `REVOKE pg_read_all_stats FROM "`+primary.Admin+`"`)
	_, err = weak.Tied(t.Context(), authority.Ties{Network: "192.0.2.0/24"})
	exec(t, `GRANT pg_read_all_stats TO "`+primary.Admin+`"`)
	require.NoError(t, replica.AwaitReplication(t.Context()), "other tests look there with that right")
	require.ErrorContains(t, err, "grant it pg_read_all_stats")
}
