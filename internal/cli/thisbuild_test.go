package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/profile"
)

func TestAProfileOfALedgerIsComparedWithThatOfTheBuild(t *testing.T) {
	p, err := config.BuiltInProfile("barracuda-esg")
	require.NoError(t, err)
	word, text := thisBuild(p.Name, p.Reviewed, p.Digest)
	require.Equal(t, "same", word)
	require.Contains(t, text, "is that of this build")
	word, text = thisBuild(p.Name, "2026-01-01", "0123456789abcdef")
	require.Equal(t, "differs", word)
	require.Contains(t, text, "barracuda-esg of the ledger (reviewed 2026-01-01, SHA-256 0123456789ab) is not that of this build (reviewed "+p.Reviewed)
	word, text = thisBuild("door", "2026-01-01", "01")
	require.Equal(t, "none", word)
	require.Contains(t, text, "this build has none of that name")
}

func TestDoctorSaysWhatIsOpenOfTheAnswers(t *testing.T) {
	p, err := config.BuiltInProfile("generic")
	require.NoError(t, err)
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	none := checkAnswers(&config.Campaign{}, nil, now)
	require.True(t, none.OK)
	require.Contains(t, none.Detail, "names no profile")

	c := &config.Campaign{Profile: p, AnswersFile: "answers.yaml"}
	row := checkAnswers(c, nil, now)
	require.False(t, row.OK)
	require.Contains(t, row.Detail, "answers.yaml is not there")
	require.Contains(t, row.Do, "rollcall answers init")

	c.Answers = &profile.Answers{File: "answers.yaml"}
	for i, l := range p.Lines {
		given := profile.Given{Line: l.ID, At: i + 1, Answer: credential.None, Reason: "x", By: "jo", On: now}
		if i == 0 {
			given.Answer, given.Owner, given.Due = credential.Later, "jo", now.Add(48*time.Hour)
		}
		c.Answers.List = append(c.Answers.List, given)
	}
	row = checkAnswers(c, nil, now)
	require.True(t, row.OK)
	require.Empty(t, row.Do)
	require.Contains(t, row.Detail, "left for later: "+p.Lines[0].ID+" (jo, due 2026-11-30)")
	row = checkAnswers(c, nil, now.AddDate(0, 0, 3))
	require.False(t, row.OK)
	require.Contains(t, row.Detail, "; open: "+p.Lines[0].ID)
	require.Contains(t, row.Do, "rollcall answers check")
}
