package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
)

// What a campaign left open is not forgotten because the next file calls the
// device otherwise: another person wrote it, or the machine was renamed.
func TestAnotherNameOfTheDeviceForgetsNothing(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 1, Tagged: 2})
	a := accountsNamed(e, "svc-mass-")[0]
	lock(t, e, a, true)
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	plain := readFile(t, file)
	u := newUser(t, e, file)
	u.must("init")
	first := u.run("run")
	require.Equal(t, 2, first.code, first.out+first.err)
	campaign := u.ledger().Campaign
	lock(t, e, a, false)
	describe(t, e, a, "nothing") // the tag that named it is gone

	plain = strings.Replace(plain, quick, unhurried, 1)
	called := func(name string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(plain, "device: esg-01", name, 1)), 0o600))
	}
	said := func(command string, code int) string {
		t.Helper()
		got := u.run(command)
		require.Equal(t, code, got.code, got.out+got.err)
		return strings.Join(strings.Fields(got.out+got.err), " ")
	}
	called("device: ESG-01")
	require.Contains(t, said("list", 0), a.DN, "machines' names differ in no letter's case")
	called("device: mx-9")
	text := said("list", 2)
	require.Contains(t, text, "open-of-other-device: campaign "+campaign+" of device esg-01 left 1 open that nothing here names: "+a.DN)
	require.Contains(t, text, "formerly: [esg-01]")
	u.must("init")
	require.Contains(t, said("run", 2), "device esg-01 left 1 open")
	require.Contains(t, warningsOf(u.ledger()), credential.FindingOpenElsewhere)
	called("device: mx-9\naccept: [{device: ESG-01, reason: its own campaign goes on}]")
	require.Contains(t, said("list", 0), "its own campaign goes on")

	// The roll under the new name had not got it.
	called("device: mx-9\nformerly: [esg-01]")
	said("run", 0)
	requireKept(t, u.ledger(), a, campaign, ledger.Dead, "")
	require.False(t, binds(t, e, a.Servers[0], a.DN, credential.NewSecret(a.Password)))
	require.NotContains(t, said("list", 2), a.DN+" ", "it was proved dead")
}
