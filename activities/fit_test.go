package activities

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/listing"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/vault"
)

// ground is a Vault with a bind password, and directories of one lab.
type ground struct {
	*safe
	ca    *lab.CA
	first *lab.Slapd
	bind  config.Bind
}

func newGround(t *testing.T) *ground {
	g := &ground{safe: newSafe(t)}
	var err error
	g.ca, err = lab.NewCA()
	require.NoError(t, err)
	g.first = g.slapd(lab.SlapdOptions{Accounts: lab.SeedAccounts("user", 2)})
	g.bind = config.Bind{DN: g.first.BinderDN, Password: credential.Path{Mount: "rollcall", Path: "bind", Field: "password"}}
	_, err = g.store.Activate(g.ctx, g.bind.Password, vault.Live{}, credential.NewSecret(g.first.BinderPassword), "")
	require.NoError(t, err)
	return g
}

func (g *ground) slapd(o lab.SlapdOptions) *lab.Slapd {
	g.Helper()
	o.Dir, o.CA = g.TempDir(), g.ca
	s, err := lab.StartSlapd(g.ctx, o)
	require.NoError(g, err)
	g.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Stop(ctx)
	})
	return s
}

func (g *ground) directory(base string, servers ...string) config.Directory {
	return config.Directory{
		Driver: config.OpenLDAP, Servers: servers, Base: base, CA: string(g.ca.PEM), Bind: g.bind,
		StartTLS: strings.HasPrefix(servers[0], "ldap://"), Timeout: config.Duration(time.Minute),
	}
}

// fit finds the servers of directories and looks whether a campaign may begin.
func (g *ground) fit(directories map[string]config.Directory) error {
	g.Helper()
	spec := *g.spec
	spec.Directories = maps.Clone(directories)
	kinds := registry.New(g.store.Client)
	defer kinds.Close()
	found, err := listing.FindServers(g.ctx, kinds, &spec)
	require.NoError(g, err)
	return listing.Fit(g.ctx, kinds, found.Of(&spec))
}

func TestOneServerInTwoDirectoriesIsRefusedByWhateverNameUnlessTheyHaveNoAccountInCommon(t *testing.T) {
	g := newGround(t)
	const whole = "dc=example,dc=org"
	people := g.first.PeopleDN()
	tunnel, err := lab.StartBalancer("127.0.0.1:0", g.first.LDAPS())
	require.NoError(t, err)
	t.Cleanup(tunnel.Close)
	named := "ldaps://localhost" + g.first.LDAPS()[strings.LastIndex(g.first.LDAPS(), ":"):]
	replica := g.slapd(lab.SlapdOptions{ReplicaOf: g.first})
	for name, row := range map[string]struct {
		base, server, otherBase string
		words                   string
	}{
		"by another name":           {whole, named, people, g.first.LDAPS() + " and " + named + " show the same entry at " + people},
		"by the same name":          {people, g.first.LDAPS(), whole, "show the same entry at " + people},
		"by another port":           {"OU=People, DC=Example,DC=org", g.first.LDAP(), whole, "are one, and their bases overlap"},
		"through a tunnel":          {whole, "ldaps://" + tunnel.Addr(), whole, "show the same entry at " + whole},
		"by a replica":              {whole, replica.LDAPS(), people, "show the same entry at " + people},
		"of which nothing overlaps": {"ou=services," + whole, named, people, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := g.fit(map[string]config.Directory{"corp": g.directory(row.otherBase, g.first.LDAPS()), "people": g.directory(row.base, row.server)})
			if row.words == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "directories corp and people are one")
			require.ErrorContains(t, err, row.words)
			require.ErrorContains(t, err, listing.MendTwice)
		})
	}
	other := g.slapd(lab.SlapdOptions{Accounts: lab.SeedAccounts("user", 1)})
	_, err = g.store.Activate(g.ctx, credential.Path{Mount: "rollcall", Path: "other", Field: "password"}, vault.Live{}, credential.NewSecret(other.BinderPassword), "")
	require.NoError(t, err)
	d := g.directory(whole, other.LDAPS())
	d.Bind.Password.Path = "other"
	require.NoError(t, g.fit(map[string]config.Directory{"corp": g.directory(whole, g.first.LDAPS()), "plant": d}), "another directory may have the same base")
}

func TestWhatDoctorKnowsToBeWrongWithAServerBeginsNoCampaign(t *testing.T) {
	g := newGround(t)
	const whole = "dc=example,dc=org"
	stale := g.slapd(lab.SlapdOptions{ReplicaOf: g.first, LooksLike: g.first})
	alone := func(servers ...string) map[string]config.Directory {
		return map[string]config.Directory{"corp": g.directory(whole, servers...)}
	}
	require.NoError(t, g.fit(alone(g.first.LDAPS(), stale.LDAPS())))

	b, err := lab.StartBalancer("127.0.0.1:0", g.first.LDAPS(), stale.LDAPS())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	stale.PauseReplication()
	kinds := registry.New(g.store.Client)
	t.Cleanup(func() { _ = kinds.Close() })
	spec := *g.spec
	spec.Directories = alone(g.first.LDAPS())
	first, err := kinds.Directory(&spec, "corp")
	require.NoError(t, err)
	require.NoError(t, first.ResetPassword(g.ctx, g.first.AccountDN("user0001"), credential.NewSecret("fresh-and-long-1"), credential.Secret{}))
	require.ErrorContains(t, g.fit(alone(g.first.LDAPS(), "ldaps://"+b.Addr())), "several machines answer at this address")
	require.ErrorContains(t, g.fit(alone("ldaps://"+b.Addr())), "several machines answer at this address", "the write server too")

	d := g.directory(whole, g.first.LDAPS())
	other, err := lab.NewCA()
	require.NoError(t, err)
	d.CA = string(other.PEM)
	require.ErrorContains(t, g.fit(map[string]config.Directory{"corp": d}), "name the CA that signed it")

	require.NoError(t, stale.Stop(g.ctx))
	require.NoError(t, g.fit(alone(g.first.LDAPS(), stale.LDAPS())), "a server that is down keeps nobody from a new value")
}

// Two providers, one of them in the file: what the other one still takes nobody
// asks.
func TestServersThatTheDirectoryKnowsOfAndNobodyAsksAreAWarningUntilAPersonAccountsForThem(t *testing.T) {
	g := newGround(t)
	first := g.slapd(lab.SlapdOptions{Provider: true, Policy: lab.SlapdPolicy{MustChange: true}, Accounts: lab.SeedAccounts("user", 1)})
	second := g.slapd(lab.SlapdOptions{ReplicaOf: first, Provider: true})
	conn, err := second.AdminConn(g.ctx)
	require.NoError(t, err)
	change := ldap.NewModifyRequest(first.PeopleDN(), nil)
	change.Replace("description", []string{"made at the second one"})
	require.NoError(t, conn.Modify(change))
	require.NoError(t, conn.Close())
	require.NoError(t, first.AwaitReplication(g.ctx))

	d := g.directory("dc=example,dc=org", first.LDAPS())
	d.Bind.Password = g.secretAt("other", first.BinderPassword)
	spec := *g.spec
	spec.Directories = map[string]config.Directory{"corp": d}
	spec.Vault.Adopt = "rollcall/adopted/{authority}/{name}#password"
	spec.Sources = []config.Source{{Name: "people", Type: config.FromLDAP, Directory: "corp", Filter: "(uid=user*)"}}
	list := func() *credential.Roll {
		kinds := registry.New(g.store.Client)
		defer kinds.Close()
		roll, _, err := listing.List(g.ctx, g.store, kinds, &spec, "dry")
		require.NoError(t, err)
		require.Len(t, roll.Credentials, 1)
		return roll
	}
	warned := func(roll *credential.Roll, code credential.FindingCode) (found []string) {
		for _, w := range roll.Warnings {
			if w.Code == code {
				found = append(found, w.Detail)
			}
		}
		return found
	}
	roll := list()
	require.Equal(t, 1, roll.Incomplete(), "%v", roll.Warnings)
	said := warned(roll, credential.FindingMoreServers)
	require.Len(t, said, 1)
	require.Contains(t, said[0], "directory corp: changes were made there by the servers with the ids 001, 002")
	require.Contains(t, said[0], "name each under servers")
	require.Contains(t, said[0], `accept: - {directory: corp, server: "002", on: TIME, reason: …}`)

	spec.Accept = []config.Accept{{Directory: "corp", Server: "002", On: time.Now(), Reason: "it burnt in May"}, {Directory: "corp", Server: "003", On: time.Now(), Reason: "a slip"}}
	roll = list()
	require.Zero(t, roll.Incomplete())
	require.Len(t, warned(roll, credential.FindingAccepted), 1)
	require.Contains(t, warned(roll, credential.FindingExcludeUnused)[0], "server 003")

	d.Servers = append(d.Servers, second.LDAPS())
	spec.Directories["corp"], spec.Accept = d, nil
	roll = list()
	require.Empty(t, warned(roll, credential.FindingMoreServers))
	require.Empty(t, warned(roll, credential.FindingNotProvider))
	said = warned(roll, credential.FindingForced)
	require.Len(t, said, 1)
	require.Contains(t, said[0], "under the policies cn=default,ou=policies,dc=example,dc=org: no new value of an account under it")

	replica := g.slapd(lab.SlapdOptions{ReplicaOf: first})
	d.Servers = []string{replica.LDAPS(), first.LDAPS(), second.LDAPS()}
	spec.Directories["corp"] = d
	said = warned(list(), credential.FindingNotProvider)
	require.Len(t, said, 1)
	require.Contains(t, said[0], "directory corp: "+replica.LDAPS()+" is the first of its servers, and it is a replica")
	require.Contains(t, said[0], "name the provider")
	require.ErrorContains(t, g.fit(spec.Directories), "shadow context); name the provider")
}

func TestOneClusterInTwoSectionsIsRefusedByWhateverAddress(t *testing.T) {
	g := newGround(t)
	db, err := lab.StartPostgres(g.ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: g.ca})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Stop(context.Background()) })
	vip, err := lab.StartBalancer("127.0.0.1:0", strings.TrimPrefix(db.URL(), "postgresql://"))
	require.NoError(t, err)
	t.Cleanup(vip.Close)
	login := []authority.Login{{Name: db.Admin, Secret: g.secretAt("db", db.AdminPassword)}}
	at := func(server string) settings.Cluster {
		return settings.Cluster{Servers: []string{server}, CA: string(g.ca.PEM), Database: "postgres", Bind: login, Connections: 2, Timeout: time.Minute}
	}
	spec := *g.spec
	spec.Directories = nil
	spec.Systems = config.Systems{"appdb": at(db.URL()), "vip": at("postgresql://" + vip.Addr())}
	kinds := registry.New(g.store.Client)
	defer kinds.Close()
	var twice *listing.TwiceError
	require.ErrorAs(t, listing.Fit(g.ctx, kinds, &spec), &twice)
	require.Contains(t, twice.What, "appdb and vip are one: ")
	delete(spec.Systems, "vip")
	require.NoError(t, listing.Twice(g.ctx, kinds, &spec))
}
