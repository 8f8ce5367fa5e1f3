package ownmount

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestTheIndexSaysWhichLoginsToVaultThereAreAndWhatIsAlone(t *testing.T) {
	approle := func(name string, wave int, own bool, p credential.Problem) credential.Credential {
		return credential.Credential{ID: "vault/approle/" + name, Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/" + name, Wave: wave, Own: own, Problem: p}
	}
	roll := &credential.Roll{
		Waves: []credential.Wave{{Name: "logins-to-vault", Batch: 1}, {Name: "the rest"}, {Name: "own"}},
		Credentials: []credential.Credential{
			approle("a", 0, false, ""), approle("b", 0, false, credential.Ambiguous), approle("ops", 0, true, credential.OwnIdentity),
			{ID: "unmatched/x", Kind: credential.AppRoleSecretID, Authority: "vault", Wave: 1, Problem: credential.NoAccount},
			{ID: "corp/bind", Kind: credential.LDAPPassword, Authority: "corp", Subject: "bind", Wave: 1, Own: true, Problem: credential.OwnIdentity},
			approle("rollcall-worker", 2, true, ""),
		},
	}
	_, idx, err := cutRoll(roll)
	require.NoError(t, err)
	require.Equal(t, credential.Refs{{Page: 0, Index: 0}, {Page: 0, Index: 1}}, idx.Logins, "not Rollcall's own, and none that is not there")
	var alone []bool
	for _, w := range idx.Waves {
		alone = append(alone, w.Alone)
		require.Equal(t, roll.Waves[w.Wave].Name, w.Name)
	}
	require.Equal(t, []bool{false, false, true}, alone)
	require.Equal(t, 1, idx.Waves[0].Batch)

	text, err := json.Marshal(idx.Logins)
	require.NoError(t, err)
	require.JSONEq(t, `[{"p":0,"f":0,"t":2}]`, string(text))
	var back credential.Refs
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, idx.Logins, back)
}
