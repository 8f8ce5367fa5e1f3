package workflows

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestTokensThatWereMadeSinceTheListingAreToldAtTheEnd(t *testing.T) {
	for _, row := range []struct {
		name   string
		looked bool // the listing looked at tokens
		detail string
		fails  error
		told   string
		asked  int
	}{
		{name: "none", looked: true, asked: 1},
		{name: "a roll that says nothing of it", detail: "one"},
		{name: "one", looked: true, detail: "1 tokens of Vault", told: "1 tokens of Vault", asked: 1},
		{name: "nobody could ask", looked: true, fails: errors.New("no"), told: "Vault could not be asked", asked: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake(waveOf(0, 4))
			f.roll.Tokens, f.newReaders = row.looked, row.detail
			if row.fails != nil {
				f.fails["LookForTokens"] = row.fails
			}
			env := f.env(t)
			env.ExecuteWorkflow(CampaignWorkflow, input)
			require.NoError(t, env.GetWorkflowError())
			var got Result
			require.NoError(t, env.GetWorkflowResult(&got))
			require.Equal(t, row.asked > 0, f.ranTimes("LookForTokens") > 0)
			told := ""
			for _, e := range f.events {
				if e.Finding == credential.FindingNewReader {
					told = e.Detail
				}
			}
			if row.told == "" {
				require.Empty(t, told)
				require.Zero(t, got.Incomplete)
				return
			}
			require.Contains(t, told, row.told)
			require.Equal(t, 1, got.Incomplete)
		})
	}
}
