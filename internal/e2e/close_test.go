package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// A replica that does not come back tonight: who has done all that can be done
// ends the campaign, and says who sees to the rest. The next one goes on.
func TestWhatIsOpenIsAcceptedWithAnOwnerAndTheCampaignEnds(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	u.refuses("no campaign", "close", "--reason", "tonight", "--owner", "jo")
	e.Replica.PauseReplication()
	cmd, said := u.begin("run")
	requireSoon(t, "all were tried", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging }) == 3
	})
	items := filepath.Join(e.Dir, "items.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(items, []byte(text), 0o600)) }
	dn := e.Slapd.AccountDN("svc-esg-0002")
	for text, want := range map[string]string{
		"- {name: nobody}\n": "items.yaml:1: name: \"nobody\" is not on the roll",
		"\n- {name: \"" + dn + "\", owner: bo, due: yesterday}\n": "items.yaml:2: due: must be a day",
		"- {name: \"" + dn + "\", ower: bo}\n":                    "items.yaml:1: ower: unknown",
		"- {name: \"" + dn + "\"}\n- {name: \"" + dn + "\"}\n":    "items.yaml:2: name: said on line 1 already",
		"- just text\n": "items.yaml:1: must be an item",
	} {
		write(text)
		u.refuses(want, "close", "--reason", "tonight", "--owner", "jo", "--items", items)
	}
	// A later one of the device, which runs elsewhere, has a roll of its own.
	store := rootStore(t, e)
	require.NoError(t, store.OpenCampaign(t.Context(), ownmount.CampaignRecord{Campaign: "elsewhere", Device: u.ledger().Device, Actor: "bo", Starter: "bo"}))
	u.refuses("--due: is over", "close", "--reason", "tonight", "--owner", "jo", "--due", "2020-01-01")
	u.refuses("--reason", "close", "--owner", "jo", "--reason", "it was "+stolenValue(e, e.ID("svc-esg-0001")))
	write("- {name: \"" + dn + "\", owner: bo, reason: its scanner goes anyway, due: 2999-01-01}\n")
	closes := u.oncePassed(said, "close", "--reason", "the replica is rebuilt", "--owner", "directory team", "--due", "72h", "--items", items)
	require.Zero(t, closes.code, closes.err)
	require.Contains(t, closes.out, "closing: campaign")
	require.NoError(t, store.CloseCampaign(t.Context(), "elsewhere"))
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())

	s := u.ledger()
	require.Equal(t, ledger.Closed, s.Phase)
	for _, c := range s.Credentials {
		require.Equal(t, ledger.IsException, c.Outcome)
		owner := "directory team"
		if c.Name == dn {
			owner = "bo"
			require.Equal(t, time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC), s.AcceptedAs(c).Due)
		}
		require.Equal(t, owner, s.AcceptedAs(c).Owner)
	}
	u.must("ledger", "verify")
	text := strings.Join(strings.Fields(u.must("report")), " ")
	require.Contains(t, text, "owner directory team")
	require.Contains(t, text, "owner bo")

	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	u.must("run")
}
