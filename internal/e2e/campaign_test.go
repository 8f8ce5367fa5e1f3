package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
)

func TestACampaignEndsWithEveryStolenCredentialDeadAndTheRestListed(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 12, Replica: true, Odd: true, AppRoles: 1, Decoys: 3})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	u := newUser(t, e, file)
	t.Log(u.must("init"))
	t.Log(u.must("list"))
	r := u.run("run")
	t.Log(r.err)
	t.Log(r.out)
	require.Equal(t, 2, r.code, "one path has no account")
	state := u.ledger()
	for _, l := range state.Credentials {
		if l.Outcome != ledger.Dead {
			t.Log(l.Name, l.Outcome, l.Step, l.Reason, l.Detail)
		}
	}
}
