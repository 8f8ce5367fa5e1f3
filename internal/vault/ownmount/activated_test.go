package ownmount

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestWhereValuesWereActivatedIsKnownToEveryLaterCampaign(t *testing.T) {
	worker, _, c := restricted(t, vault.WorkerPolicy)
	path := func(name string) credential.Path {
		return credential.Path{Mount: "kv", Path: name, Field: "password"}
	}
	none, err := worker.ActivatedPlaces(t.Context(), []string{"corp/a"})
	require.NoError(t, err)
	require.Empty(t, none)
	require.NoError(t, worker.RecordActivated(t.Context(), nil))
	require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/a": {{Path: path("apps/mail")}, {Path: path("apps/x y#z")}}, "corp/b": {{Path: path("apps/b")}}}))

	later := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.OperatorPolicy))
	got, err := later.ActivatedPlaces(t.Context(), []string{"corp/a", "corp/none"})
	require.NoError(t, err)
	require.Equal(t, map[string][]credential.Path{"corp/a": {path("apps/mail"), path("apps/x y#z")}}, got)

	// The other device's campaign adds a path while this one knows the first
	// two.
	between := later.clock(t.Context()).Add(-time.Second)
	other := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	require.NoError(t, other.RecordActivated(t.Context(), map[string][]Placed{"corp/a": {{Path: path("apps/mail")}, {Path: path("apps/vpn")}}}))
	got, err = later.ActivatedPlaces(t.Context(), []string{"corp/a"})
	require.NoError(t, err)
	require.Equal(t, []credential.Path{path("apps/mail"), path("apps/vpn"), path("apps/x y#z")}, got["corp/a"])
	got, err = later.ActivatedSince(t.Context(), between.Add(time.Hour), []string{"corp/a"})
	require.NoError(t, err)
	require.Empty(t, got)

	notes := func() int {
		names, err := other.Names(t.Context(), "test", c.Vault.Mount, PlacesFolder)
		require.NoError(t, err)
		return len(names)
	}
	require.Equal(t, 2, notes())
	require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/a": {{Path: path("apps/vpn")}}}))
	require.Equal(t, 2, notes(), "what is known is not written again")

	many := map[string][]Placed{}
	for i := range 4000 {
		id := fmt.Sprintf("corp/%036d", i)
		many[id] = []Placed{{Path: path("apps/" + id), Version: 1 << 30, Written: time.Now()}}
	}
	require.NoError(t, worker.RecordActivated(t.Context(), many))
	require.Equal(t, 5, notes(), "in pages that Vault takes")
	got, err = later.ActivatedPlaces(t.Context(), []string{fmt.Sprintf("corp/%036d", 3999)})
	require.NoError(t, err)
	require.Len(t, got, 1)

	ledger := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.LedgerPolicy))
	_, err = ledger.ActivatedPlaces(t.Context(), nil)
	denied(t, err)
}
