package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
)

// A campaign set an account that had no path. Then somebody writes what it had
// before to a secret and names the account there: the run refuses that path,
// and the plan says so.
func TestAPlanPromisesNoPathThatTheAccountRefusesSinceAnEarlierCampaign(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1, Tagged: 1})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 20s}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	u.must("run")
	id := e.ID("svc-mass-0001")
	late := credential.Path{Mount: "kv", Path: "apps/esg-01/late", Field: "password"}
	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{late.Path: {"password": stolenValue(e, id)}}))
	require.NoError(t, e.Vault.SeedMetadata(t.Context(), map[string]map[string]any{late.Path: {"account": "svc-mass-0001"}}))

	flat := strings.Join(strings.Fields(u.run("plan").out), " ")
	require.Contains(t, flat, "! "+late.String()+": stays as it is, for an earlier campaign has set another value")
	require.NotContains(t, flat, "~ "+late.String())
	require.Contains(t, flat, "~ kv/rollcall/corp/svc-mass-0001#password")
	ran := u.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	require.Equal(t, 1, versions(t, e.Vault.Client(), late), "as the plan said")

	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{late.Path: {"password": live(t, e, credential.Path{Mount: "kv", Path: "rollcall/corp/svc-mass-0001", Field: "password"}).Reveal()}}))
	require.Contains(t, strings.Join(strings.Fields(u.run("plan").out), " "), "~ "+late.String(), "what the account has by now is kept current")
}
