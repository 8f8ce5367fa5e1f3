package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/protocol"
)

// The device's account has one name and one password in the directory and in
// the cluster; its secret names the directory's alone. Both are dead in the
// end, each with a value of its own.
func TestTheStolenValueDiesAtAnAccountOfTheSameNameToo(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Postgres: 1})
	ctx, api := t.Context(), e.Vault.Client()
	const taker, other = "svc-esg-0001", "svc-esg-0002"
	stolen := stolenValue(e, e.ID(taker))
	require.NoError(t, e.Postgres.Exec(ctx, `CREATE ROLE "SVC-esg-0001" LOGIN PASSWORD '`+stolen+`'`, `CREATE ROLE "`+other+`" LOGIN PASSWORD 'a-password-of-its-own'`))
	in := func(role, value string) bool { return logsIn(t, e.Postgres, role, credential.NewSecret(value)) }
	held := func(p credential.Path) string {
		got, err := api.KVv2(p.Mount).Get(ctx, p.Path)
		require.NoError(t, err)
		v, _ := got.Data[p.Field].(string)
		return v
	}
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	listed := u.run("list")
	require.Contains(t, listed.out+listed.err, "same-name: 2 accounts that no source names")
	require.True(t, in("SVC-esg-0001", stolen), "who only lists changes nothing")
	ran := u.run("run")
	require.Equal(t, 2, ran.code, "what logs in to the cluster with the directory's secret has to be told: %s", ran.out+ran.err)
	require.False(t, in("SVC-esg-0001", stolen))
	require.True(t, in(other, "a-password-of-its-own"), "it refuses what Vault holds for that name")
	n := 0
	for _, c := range u.ledger().Credentials {
		require.NotEqual(t, other, c.Name)
		if c.Name != "SVC-esg-0001" {
			continue
		}
		n++
		require.Equal(t, protocol.ProofBind, c.Proof)
		require.Contains(t, codes(c), credential.FindingSparePath)
	}
	require.Equal(t, 1, n)
	own := credential.Path{Mount: "kv", Path: "rollcall/appdb/svc-esg-0001", Field: "password"}
	require.True(t, in("SVC-esg-0001", held(own)))
	require.False(t, in("SVC-esg-0001", held(e.Live[e.ID(taker)])), "the directory's new value is that account's alone")

	// The next campaign has nothing to do with either.
	ran = u.run("run")
	require.Equal(t, 0, ran.code, ran.out+ran.err)
	require.True(t, in("SVC-esg-0001", held(own)))
}
