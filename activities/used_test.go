package activities

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// Somebody gives Vault an account of the roll after it was listed, before the
// value is staged or after: with a new password Vault's own logins, or whoever
// reads the password there, would be cut off.
func TestAnAccountWithWhichVaultWorksByNowIsNotSet(t *testing.T) {
	g := newGround(t)
	g.spec.Directories = map[string]config.Directory{"corp": g.directory("dc=example,dc=org", g.first.LDAPS())}
	d := g.spec.Directories["corp"]
	d.Connections, d.Password = 2, config.PasswordPolicy{Length: 32}
	g.spec.Directories["corp"] = d
	write := func(at string, body map[string]any) {
		_, err := g.api.Logical().Write(at, body)
		require.NoError(t, err, at)
	}
	settings := map[string]any{"url": g.first.LDAPS(), "certificate": string(g.ca.PEM), "userdn": g.first.PeopleDN(), "userattr": "uid", "binddn": g.first.BinderDN, "bindpass": g.first.BinderPassword}
	write("sys/auth/people", map[string]any{"type": "ldap"})
	write("auth/people/config", settings)
	write("sys/mounts/keeps", map[string]any{"type": "ldap"})
	write("keeps/config", settings)

	mark := func(uid string) string {
		conn, err := g.first.AdminConn(g.ctx)
		require.NoError(t, err)
		defer conn.Close()
		res, err := conn.Search(ldap.NewSearchRequest(g.first.AccountDN(uid), ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"entryUUID", "userPassword"}, nil))
		require.NoError(t, err)
		require.Len(t, res.Entries, 1)
		return res.Entries[0].GetAttributeValue("entryUUID") + " " + res.Entries[0].GetAttributeValue("userPassword")
	}
	var roll []credential.Credential
	uids := []string{"user0001", "user0002"}
	for _, uid := range uids {
		id := mark(uid)[:36]
		roll = append(roll, credential.Credential{ID: "corp/" + id, Kind: credential.LDAPPassword, Authority: "corp", Subject: id, Name: g.first.AccountDN(uid),
			Paths: []credential.Path{{Mount: "rollcall", Path: "device/" + uid, Field: "password"}}, Adopted: true, Named: []credential.Path{{Mount: "rollcall", Path: "device/" + uid, Field: "password"}}})
	}
	begun := func(campaign string) (wire.Batch, []wire.PreparedItem) {
		b := g.batch(campaign, "esg-01", roll...)
		b.Authority, b.Kind = "corp", credential.LDAPPassword
		var prepared []wire.PreparedItem
		require.NoError(t, g.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0, 1}}, &prepared))
		return b, prepared
	}
	apply := func(b wire.Batch, items ...wire.PreparedItem) (out []wire.AppliedItem) {
		var in []wire.ApplyItem
		for _, p := range items {
			require.Nil(t, p.Stop)
			in = append(in, wire.ApplyItem{Index: p.Index, Attempt: p.Attempt, Fresh: p.Fresh})
		}
		require.NoError(t, g.call("Apply", wire.ApplyInput{Batch: b, Items: in}, &out))
		return out
	}
	before := map[string]string{}
	for _, uid := range uids {
		before[uid] = mark(uid)
	}

	settings["binddn"], settings["bindpass"] = g.first.AccountDN("user0001"), "x"
	write("auth/people/config", settings)
	b, prepared := begun("first")
	require.Equal(t, protocol.ReasonVaultsBind, prepared[0].Stop.Reason)
	require.Contains(t, prepared[0].Stop.Detail, "it was not so when it was listed")
	write("keeps/static-role/one", map[string]any{"username": "user0002", "dn": g.first.AccountDN("user0002"), "rotation_period": "24h", "skip_import_rotation": true})
	out := apply(b, prepared[1])
	require.Equal(t, protocol.ReasonKeptByVault, out[0].Stop.Reason)
	for _, uid := range uids {
		require.Equal(t, before[uid], mark(uid), "nothing was set")
	}

	// What a person accepted at the listing stays accepted.
	require.NoError(t, g.store.Unstage(g.ctx, roll[1].ID, "first", prepared[1].Attempt))
	roll[0].Accepted, roll[1].Accepted = []credential.Problem{credential.VaultsBind}, []credential.Problem{credential.KeptByVault}
	b, prepared = begun("second")
	for i, a := range apply(b, prepared...) {
		require.True(t, a.Dead(), "%+v", a.Stop)
		require.NotEqual(t, before[uids[i]], mark(uids[i]))
	}
}

// Somebody gives a replica an account of the roll after the listing.
func TestAnAccountByWhichServersReplicateByNowIsNotSet(t *testing.T) {
	g := newGround(t)
	replica := g.slapd(lab.SlapdOptions{ReplicaOf: g.first, ShowsReplicators: true})
	g.spec.Directories = map[string]config.Directory{"corp": g.directory("dc=example,dc=org", g.first.LDAPS(), replica.LDAPS())}
	d := g.spec.Directories["corp"]
	d.Connections, d.Password = 2, config.PasswordPolicy{Length: 32}
	g.spec.Directories["corp"] = d
	conn, err := g.first.AdminConn(g.ctx)
	require.NoError(t, err)
	defer conn.Close()
	dn := "cn=replicator,ou=services,dc=example,dc=org"
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"entryUUID"}, nil))
	require.NoError(t, err)
	id := res.Entries[0].GetAttributeValue("entryUUID")
	b := g.batch("c", "esg-01", credential.Credential{ID: "corp/" + id, Kind: credential.LDAPPassword, Authority: "corp", Subject: id, Name: dn})
	b.Authority, b.Kind = "corp", credential.LDAPPassword
	var prepared []wire.PreparedItem
	require.NoError(t, g.call("Prepare", wire.PrepareInput{Batch: b, Pass: 1, Items: []int{0}}, &prepared))
	require.Equal(t, protocol.ReasonReplicates, prepared[0].Stop.Reason)
	require.Contains(t, prepared[0].Stop.Detail, "it was not so when it was listed")
}
