package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/listing"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/wire"
)

// Behind an address stand in turn a replica that follows and one that stopped
// following when both were in step, so that nothing tells them apart before
// something is set. Whatever the connections of the pools meet, no credential
// is dead that one of them still takes.
func TestInABatchBehindABalancerNothingIsDead(t *testing.T) {
	g := newGround(t)
	const accounts = 8
	first := g.slapd(lab.SlapdOptions{Accounts: lab.SeedAccounts("esg", accounts)})
	follows := g.slapd(lab.SlapdOptions{ReplicaOf: first})
	stale := g.slapd(lab.SlapdOptions{ReplicaOf: first, LooksLike: follows})
	b, err := lab.StartBalancer("127.0.0.1:0", follows.LDAPS(), stale.LDAPS())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	stale.PauseReplication()
	d := g.directory("dc=example,dc=org", first.LDAPS(), "ldaps://"+b.Addr())
	// It reads no cn=Monitor, as most.
	d.Bind = config.Bind{DN: first.PartnerDN, Password: g.secretAt("partner", first.PartnerPassword)}
	g.nothingIsDead(d, accounts, nil, first.SeededPassword)
}

// A supplier and a consumer of 389 Directory Server are told apart by what they
// say of themselves, so no campaign begins; one that began while the balancer
// showed a single machine proves nothing when it shows the other one.
func TestInABatchBehindABalancerOf389DirectoryServersNothingIsDead(t *testing.T) {
	g := newGround(t)
	const accounts = 3
	start := func(o lab.DS389Options) *lab.DS389 {
		// ns-slapd names a semaphore of the whole machine like its folder.
		o.Dir, o.CA = t.TempDir(), g.ca
		s, err := lab.StartDS389(g.ctx, o)
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		return s
	}
	supplier := start(lab.DS389Options{Accounts: lab.SeedAccounts("esg", accounts), Policy: lab.DS389Policy{TrackUpdate: true}})
	consumer := start(lab.DS389Options{ReplicaOf: supplier, LooksLike: supplier})
	b, err := lab.StartBalancer("127.0.0.1:0", supplier.LDAPS())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	consumer.PauseReplication()
	d := g.directory("dc=example,dc=org", supplier.LDAPS(), "ldaps://"+b.Addr())
	d.Driver, d.Set = config.DS389, "replace"
	d.Bind = config.Bind{DN: supplier.BinderDN, Password: g.secretAt("unix", supplier.BinderPassword)}
	g.nothingIsDead(d, accounts, func() {
		b.Behind(supplier.LDAPS(), consumer.LDAPS())
		kinds := registry.New(g.store.Client)
		defer kinds.Close()
		require.ErrorContains(t, listing.Fit(g.ctx, kinds, g.spec), "several machines answer at this address: its netscapemdsuffix was")
	}, supplier.SeededPassword)
}

// secretAt puts a password into Vault.
func (g *ground) secretAt(path, value string) credential.Path {
	p := credential.Path{Mount: "rollcall", Path: path, Field: "password"}
	_, err := g.store.Activate(g.ctx, p, vault.Live{}, credential.NewSecret(value), "")
	require.NoError(g, err)
	return p
}

// nothingIsDead rotates the accounts esg… of a directory whose second server is
// a balancer. begun runs when they were listed.
func (g *ground) nothingIsDead(d config.Directory, accounts int, begun func(), password func(uid string) string) {
	g.Helper()
	t := g.safe.T
	balancer := d.Servers[1]
	in := g.prepared(d, accounts, begun, password)
	var applied []wire.AppliedItem
	require.NoError(t, g.call("Apply", in, &applied))
	for _, a := range applied {
		require.False(t, a.Dead(), "%+v", a)
		require.Equal(t, protocol.Prove, a.Step)
		require.Equal(t, balancer, a.Stop.Server)
		require.Equal(t, protocol.ReasonContradicts, a.Stop.Reason, fmt.Sprint(a.Stop))
		text, err := json.Marshal(a)
		require.NoError(t, err)
		require.NotContains(t, string(text), "uid=", "what travels names no account")
	}
	// With the server left out there is a proof on the other one.
	in.Batch.LeftOut = []string{balancer}
	var without []wire.AppliedItem
	require.NoError(t, g.call("Apply", in, &without))
	for _, a := range without {
		require.True(t, a.Dead(), "%+v", a.Stop)
	}
}

// prepared lists the accounts esg… of a directory and stages a value for each.
// begun runs when they were listed.
func (g *ground) prepared(d config.Directory, accounts int, begun func(), password func(uid string) string) wire.ApplyInput {
	g.Helper()
	d.Connections, d.Password = 4, config.PasswordPolicy{Length: 24}
	g.spec.Directories = map[string]config.Directory{"corp": d}
	kinds := registry.New(g.store.Client)
	defer kinds.Close()
	require.NoError(g, listing.Fit(g.ctx, kinds, g.spec), "nothing tells yet")
	c, err := kinds.Directory(g.spec, "corp")
	require.NoError(g, err)

	var listed []credential.Credential
	require.NoError(g, c.Search(g.ctx, d.Servers[0], "ou=people,"+d.Base, "(uid=esg*)", []string{"uid"}, func(e directory.Entry) error {
		listed = append(listed, credential.Credential{
			ID: "corp/" + e.ID, Kind: credential.LDAPPassword, Authority: "corp", Subject: e.ID, Name: e.DN,
			Paths: []credential.Path{g.secretAt("apps/"+e.First("uid"), password(e.First("uid")))},
		})
		return nil
	}))
	require.Len(g, listed, accounts)
	if begun != nil {
		begun()
	}
	batch := g.batch("one", "esg-01", listed...)
	batch.Authority, batch.Kind = "corp", credential.LDAPPassword
	var all []int
	for i := range listed {
		all = append(all, i)
	}
	var prepared []wire.PreparedItem
	require.NoError(g, g.call("Prepare", wire.PrepareInput{Batch: batch, Pass: 1, Items: all}, &prepared))
	in := wire.ApplyInput{Batch: batch}
	for _, p := range prepared {
		require.Nil(g, p.Stop)
		in.Items = append(in.Items, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt})
	}
	return in
}
