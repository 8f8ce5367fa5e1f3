package ownmount

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestAValueOfSeveralPartsIsStagedActivatedAndRedactedAsOne(t *testing.T) {
	s := newStore(t)
	kind := credential.Traits{Kind: "certificate", Field: "certificate", More: []string{"private_key", "ca_chain"}}
	value := func(n string) credential.Secret {
		return credential.NewParts(credential.NewSecret("-----CERT "+n+"\nx: y\n"), credential.NewSecret("-----KEY "+n+"\n"), credential.NewSecret("-----CHAIN "+n+"\n"))
	}
	p := vaulttest.NewPath()
	p.Field = kind.Fields()
	require.Equal(t, "kv/"+p.Path+"#certificate,private_key,ca_chain", p.String())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", value("1"), value("1"), value("1")), "KEY")

	// What is staged is read again whole.
	id := "corp/" + p.Path
	_, _, err := s.Stage(t.Context(), id, Staged{Secret: value("2"), Old: map[string]credential.Secret{p.String(): value("1")}, Campaign: "c", Attempt: 1})
	require.NoError(t, err)
	staged, found, err := s.ReadStaged(t.Context(), id)
	require.NoError(t, err)
	require.True(t, found)
	require.True(t, staged.Secret.Equal(value("2")))
	require.True(t, staged.Old[p.String()].Equal(value("1")))
	parts, ok := staged.Secret.Parts()
	require.True(t, ok)
	require.Equal(t, "-----KEY 2\n", parts[1].Reveal())

	// Its fields change together, and all else in the secret stays.
	vaulttest.SeedLive(t, p, map[string]any{"certificate": "-----CERT 1\nx: y\n", "private_key": "-----KEY 1\n", "ca_chain": "-----CHAIN 1\n", "note": "www"})
	before, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	require.True(t, before.Found)
	require.True(t, before.Value.Equal(value("1")))
	after, err := s.Activate(t.Context(), p, before, value("2"), "owner")
	require.NoError(t, err)
	require.True(t, after.Value.Equal(value("2")))
	require.Equal(t, map[string]any{"certificate": "-----CERT 2\nx: y\n", "private_key": "-----KEY 2\n", "ca_chain": "-----CHAIN 2\n", "note": "www"}, vaulttest.RawData(t, p))

	// A key of one pair beside the certificate of another is neither.
	vaulttest.SeedLive(t, p, map[string]any{"certificate": "-----CERT 2\nx: y\n", "private_key": "-----KEY 1\n", "ca_chain": "-----CHAIN 2\n", "note": "www"})
	mixed, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	require.False(t, mixed.Value.Equal(value("1")) || mixed.Value.Equal(value("2")))
	_, err = s.Activate(t.Context(), p, after, value("3"), "")
	require.True(t, vault.IsCASMismatch(err), "somebody else has written one part")

	// Another field that changes in between does not matter.
	vaulttest.SeedLive(t, p, map[string]any{"certificate": "-----CERT 1\nx: y\n", "private_key": "-----KEY 1\n", "ca_chain": "-----CHAIN 1\n", "note": "www2"})
	again, err := s.Activate(t.Context(), p, before, value("4"), "")
	require.NoError(t, err)
	require.Equal(t, "www2", vaulttest.RawData(t, p)["note"])

	current, err := s.Destroy(t.Context(), p, []int{1, again.Version - 1}, again.Version, again.Written)
	require.NoError(t, err)
	require.True(t, current)
	gone, err := s.ReadLive(t.Context(), p, again.Version-1)
	require.NoError(t, err)
	require.False(t, gone.Found)
	kept, err := s.ReadLive(t.Context(), p, 1)
	require.NoError(t, err)
	require.True(t, kept.Found, "its host is not in the version that stays")
}
