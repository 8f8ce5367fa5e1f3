package listing

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

func TestWhoSeesToWhatStaysOpenIsWhomTheSecretNamesElseTheCampaignFile(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	by := func(reasons ...credential.Reason) credential.Credential {
		return credential.Credential{Reasons: reasons}
	}
	cs := []credential.Credential{
		by(credential.Reason{Source: "vault"}),
		by(credential.Reason{Owner: " mail team ", Due: "24h"}, credential.Reason{Owner: "mail team", Due: "8h"}, credential.Reason{Owner: "jo"}),
		by(credential.Reason{Owner: "two\nlines", Due: "soon"}),
		by(credential.Reason{Owner: strings.Repeat("x", 300), Due: "-5h"}),
		{Task: &credential.Task{}},
	}
	seenTo(&config.Campaign{Open: &config.OpenItems{Owner: "directory team", Due: config.Duration(72 * time.Hour)}}, cs, now)
	for i, want := range []struct {
		owner string
		due   time.Time
	}{{"directory team", now.Add(72 * time.Hour)}, {"mail team, jo", now.Add(8 * time.Hour)}, {"directory team", now.Add(72 * time.Hour)}, {"directory team", now.Add(72 * time.Hour)}, {}} {
		require.Equal(t, want.owner, cs[i].Owner, i)
		require.Equal(t, want.due, cs[i].Due, i)
	}
	none := []credential.Credential{by()}
	seenTo(&config.Campaign{}, none, now)
	require.Empty(t, none[0].Owner)
	require.True(t, none[0].Due.IsZero())
}
