package inventory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
)

// namedCluster is also asked for names of other authorities.
type namedCluster struct{ cluster }

func (c namedCluster) Called(_ context.Context, names []string) (out []authority.Account, err error) {
	for name, a := range c.roles {
		if slices.Contains(names, strings.ToLower(name)) {
			out = append(out, a)
		}
	}
	return out, nil
}

// Find knows roles by their oid as well.
func (c namedCluster) Find(ctx context.Context, references []string) (map[string][]authority.Account, error) {
	out, err := c.cluster.Find(ctx, references)
	for _, a := range c.roles {
		if slices.Contains(references, a.Subject) {
			out[a.Subject] = append(out[a.Subject], a)
		}
	}
	return out, err
}

// One name and one password in the directory and in the cluster are one stolen
// value: what takes it is the device's, at either of them.
func TestAnAccountOfTheSameNameAtAnotherAuthorityIsAskedAndRotatedIfItTakesTheStolenValue(t *testing.T) {
	servers(t)
	role := func(id, name string) authority.Account {
		return authority.Account{Subject: id, Name: name, Short: name, Names: []string{name}}
	}
	group := role("16390", "bystander0002")
	group.Problems = []authority.Problem{{Code: credential.NoPassword}}
	db := namedCluster{cluster{roles: map[string]authority.Account{
		"Bystander0003": role("16384", "Bystander0003"), "bystander0004": role("16385", "bystander0004"), "bystander0005": role("16386", "bystander0005"), "jörg": role("16387", "jörg"),
		"bystander0001": role("16388", "bystander0001"), "unlike": role("16389", "unlike"), "bystander0002": group,
	}}}
	api := realVault.Client()
	for path, value := range map[string]string{"one": "stolen-of-one", "two": "stolen-of-two", "three": "stolen-of-three", "jorg": "stolen-of-jörg", "by": "stolen-of-by", "by2": "stolen-2"} {
		_, err := api.KVv2("kv").Put(t.Context(), "same/"+path, map[string]any{"password": value})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, api.KVv2("kv").DeleteMetadata(context.Background(), "same/"+path)) })
	}
	c := campaign()
	c.Directories["corp"] = corp()
	c.Systems = config.Systems{"appdb": settings.Cluster{Servers: db.Servers(), Bind: []authority.Login{{Name: "rollcall", Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}}}}
	c.Sources = []config.Source{manifestSource("account,directory,path", "bystander0003,corp,kv/same/one#password", "bystander0004,corp,kv/same/two#password", "bystander0005,corp,kv/same/three#password",
		`jörg,corp,kv/same/jorg#password`, "bystander0001,appdb,kv/same/by#password", "bystander0002,corp,kv/same/by2#password")}
	store := openVault(t, realVault.RootToken().Reveal())
	var mu sync.Mutex
	var asked []string
	asks := func(_ context.Context, x credential.Credential, v credential.Secret) (bool, string) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, x.Name+" "+v.Reveal())
		if x.Name == "bystander0005" {
			return false, "the account is locked"
		}
		return x.Name != "bystander0004", ""
	}
	list := func(asks func(context.Context, credential.Credential, credential.Secret) (bool, string)) *credential.Roll {
		t.Helper()
		asked = nil
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Systems: map[string]authority.Finder{"appdb": db}, Asks: asks}, store, "c", time.Now())
		require.NoError(t, err)
		slices.Sort(asked)
		return roll
	}
	warned := func(roll *credential.Roll, code credential.FindingCode) string {
		var out []string
		for _, w := range roll.Warnings {
			if w.Code == code {
				out = append(out, w.Detail)
			}
		}
		return strings.Join(out, "\n")
	}

	roll := list(nil)
	require.Len(t, roll.Credentials, 6, "who only looks offers nothing")
	require.Contains(t, warned(roll, credential.FindingSameName), "5 accounts that no source names")
	require.NotContains(t, warned(roll, credential.FindingSameName), "unlike")
	require.NotContains(t, warned(roll, credential.FindingSameName), "bystander0002", "it has no password")

	roll = list(asks)
	require.Equal(t, []string{"Bystander0003 stolen-of-one", "bystander0004 stolen-of-two", "bystander0005 stolen-of-three", "jörg stolen-of-jörg", slapd.AccountDN("bystander0001") + " stolen-of-by", slapd.AccountDN("bystander0004") + " stolen-of-two"}, asked, "each once, and whose it is where another one refuses it")
	got := map[string]credential.Credential{}
	for _, x := range roll.Credentials {
		got[x.ID] = x
	}
	taker := got["appdb/16384"]
	require.Empty(t, taker.Problem, "it took the stolen value")
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "rollcall/appdb/bystander0003", Field: "password"}}, taker.Paths, "never the other account's path")
	require.Equal(t, []credential.PathVersion{{Path: credential.Path{Mount: "kv", Path: "same/one", Field: "password"}, Version: 1}}, taker.Alike)
	require.Equal(t, waveNames, roll.Waves[taker.Wave].Name)
	require.Less(t, taker.Wave, byName(roll)[slapd.AccountDN("bystander0003")].Wave, "before what it takes is destroyed")
	require.NotContains(t, got, "appdb/16385")
	require.Contains(t, warned(roll, credential.FindingSameName), "1 account that no source names has the name of an account of the roll, and refuses")
	require.Equal(t, credential.SameName, got["appdb/16386"].Problem)
	require.Contains(t, details(roll, "appdb/16386", credential.FindingSameName), "the account is locked")
	require.Empty(t, got["appdb/16387"].Problem)
	require.Empty(t, byName(roll)[slapd.AccountDN("bystander0001")].Problem, "the directory's account of a role's name as well")

	// A person answers: this one has nothing to do with it, those are left
	// alone.
	c.Exclude = []config.Exclude{{Account: "16387", Reason: "another person"}}
	c.Accept = []config.Accept{{Directory: "appdb", Finding: credential.FindingSameName, Reason: "they were looked at"}}
	roll = list(asks)
	require.NotContains(t, strings.Join(asked, "\n"), "jörg", "nobody tries a value at what a person left out")
	require.Len(t, roll.Excluded, 1)
	require.Equal(t, "appdb/16387", roll.Excluded[0].ID)
	require.Empty(t, warned(roll, credential.FindingExcludeNothing))
	require.NotContains(t, byName(roll), "bystander0005")
	require.Contains(t, warned(roll, credential.FindingAccepted), "they were looked at")

	// What the account itself refuses is not what was stolen of it, so that it
	// shows nothing that another one of its name refuses that too.
	c.Exclude, c.Accept = nil, nil
	takes := asks
	roll = list(func(ctx context.Context, x credential.Credential, v credential.Secret) (bool, string) {
		if ok, why := takes(ctx, x, v); x.Name != slapd.AccountDN("bystander0004") {
			return ok, why
		}
		return false, ""
	})
	require.Equal(t, credential.SameName, byName(roll)["bystander0004"].Problem, "it may have what was stolen")
	require.Contains(t, details(roll, "appdb/16385", credential.FindingSameName), "and so does that one itself")
	require.NotContains(t, roll.Unlike, "appdb/16385")

	// Where Vault holds two values, one is offered.
	c.Exclude, c.Accept = nil, nil
	c.Sources[0].Content = []byte("account,directory,path\nbystander0004,corp,kv/same/two#password\nbystander0004,corp,kv/same/one#password\n")
	roll = list(asks)
	require.Len(t, asked, 1)
	require.Equal(t, credential.SameName, byName(roll)["bystander0004"].Problem)
	require.Contains(t, details(roll, "appdb/16385", credential.FindingSameName), "it refused one of the 2 values")

	// Nor is anybody asked where the file has one authority.
	c.Systems = nil
	c.Sources[0].Content = []byte("account,path\nbystander0004,kv/same/two#password\n")
	roll = list(asks)
	require.Empty(t, asked)
	require.Empty(t, warned(roll, credential.FindingSameName))
}
