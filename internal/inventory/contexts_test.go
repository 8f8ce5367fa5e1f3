package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

func ofCode(roll *credential.Roll, code credential.FindingCode) (out []string) {
	for _, w := range roll.Warnings {
		if w.Code == code {
			out = append(out, w.Detail)
		}
	}
	return out
}

// A database below another one is searched with it only where somebody glued
// the two, and the server refers to it with no word.
func TestADatabaseBelowBaseThatASearchDoesNotReachIsSaid(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Branch: true, Accounts: []lab.Account{{UID: "svc", Password: "x", Attrs: map[string][]string{"description": {"esg-branch"}}}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	admin, err := s.AdminConn(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	branch := "ou=branch," + s.BaseDN()
	addLDIF(t, admin, `
dn: `+branch+`
objectClass: organizationalUnit
ou: branch

dn: uid=far,`+branch+`
objectClass: inetOrgPerson
uid: far
cn: far
sn: far
userPassword: x
description: esg-branch`)

	c := campaign()
	c.Sources = []config.Source{bySource("(description=*esg-branch*)"), manifestSource("account,path", `"uid=gone,`+branch+`",kv/far#password`)}
	roll, _ := listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	said := ofCode(roll, credential.FindingNotSearched)
	require.Len(t, said, 1)
	require.Contains(t, said[0], branch+" ("+s.LDAPS()+") lies below "+s.BaseDN()+", is a database of its own")
	require.Equal(t, 1, roll.Incomplete())
	got := byName(roll)
	require.NotContains(t, got, "uid=far,"+branch)
	require.Equal(t, credential.BehindReferral, got["uid=gone,"+branch].Problem, "it is not called deleted")

	// A source of its own would list it, and it would be called deleted from
	// then on: no search by its id reaches it.
	far := bySource("(description=*esg-branch*)")
	far.Name, far.Base = "far", branch
	c.Sources = []config.Source{bySource("(description=*esg-branch*)"), far}
	_, err = tryLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	require.ErrorContains(t, err, "source far searches "+branch+" in directory corp: "+branch+" is a database of its own")
	require.ErrorContains(t, err, "name it as a directory of its own, with base "+branch)
	// As a directory of its own it is searched.
	own := slapdDirectory(s)
	own.Base, c.Sources = branch, c.Sources[:1]
	roll, _ = listLDAP(t, own, s.BinderPassword, c)
	require.Empty(t, ofCode(roll, credential.FindingNotSearched))
	require.Contains(t, byName(roll), "uid=far,"+branch)

	c.Sources = c.Sources[:1]
	c.Accept = []config.Accept{{Directory: "corp", Reason: "no account of the device is there"}}
	roll, _ = listLDAP(t, slapdDirectory(s), s.BinderPassword, c)
	require.Zero(t, roll.Incomplete())
}

// A search of a domain asks for no references: a domain below it is in the
// configuration.
func TestADomainBelowTheDomainIsSaid(t *testing.T) {
	s := startDomain(t, lab.SeedAccounts("svc", 1))
	const filter = "(sAMAccountName=svc0001)"
	require.Empty(t, ofCode(listDomain(t, s, nil, filter), credential.FindingNotSearched), "the schema, the configuration and the zones of DNS hold no accounts")

	child := "DC=child," + s.BaseDN()
	require.NoError(t, s.AddDomain(t.Context(), "child"))
	roll := listDomain(t, s, nil, filter, `ad,"CN=svc-far,CN=Users,`+child+`",kv/far#password`)
	said := ofCode(roll, credential.FindingNotSearched)
	require.Len(t, said, 1)
	require.Contains(t, said[0], "the domain "+child+" (child.ad.example.org) lies below "+s.BaseDN()+" and was not searched: accounts of it are not on the roll")
	require.Equal(t, 1, roll.Incomplete())
	require.Equal(t, credential.BehindReferral, byName(roll)["CN=svc-far,CN=Users,"+child].Problem)

	roll = listDomainBy(t, s, func(c *config.Campaign) { c.Accept = []config.Accept{{Directory: "ad", Reason: "its own campaign"}} }, filter)
	require.Empty(t, ofCode(roll, credential.FindingNotSearched))
}
