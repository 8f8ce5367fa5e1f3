package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// A file that accepted a directory whole was written when there was nothing to
// accept but a part that is not searched.
func TestAnAcceptTakesTheOneWarningThatItNames(t *testing.T) {
	whole, named, other := Accept{Directory: "corp"}, Accept{Directory: "corp", Finding: credential.FindingReplicatorsHidden}, Accept{Directory: "corp", Finding: credential.FindingRulesHidden}
	require.True(t, whole.Accepts("corp", credential.FindingNotSearched))
	for _, later := range hiddenFindings[1:] {
		require.False(t, whole.Accepts("corp", credential.FindingCode(later)), later)
	}
	require.True(t, named.Accepts("corp", credential.FindingReplicatorsHidden))
	require.False(t, named.Accepts("corp", credential.FindingNotSearched))
	require.False(t, named.Accepts("ad", credential.FindingReplicatorsHidden))
	require.False(t, other.Accepts("corp", credential.FindingReplicatorsHidden))
	require.False(t, Accept{Directory: "corp", Server: "2"}.Accepts("corp", credential.FindingNotSearched))
}

// A word about what somebody may have made in Vault is for what was made before
// it, and before the device was in foreign hands for the last time.
func TestAWordAboutWhatWasMadeHasAnEnd(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC) }
	contained := &Containment{How: credential.Isolated, At: at(20)}
	for name, row := range map[string]struct {
		on       time.Time
		exposure []Interval
		is       *Containment
		says     string
	}{
		"no time":                          {says: "says not when"},
		"nothing is said of the device":    {on: at(1)},
		"after it was contained":           {on: at(21), is: contained},
		"before it was contained":          {on: at(19), is: contained, says: "until 2026-11-20T12:00:00Z"},
		"after the exposure":               {on: at(11), exposure: []Interval{{From: at(1), To: at(10)}}},
		"at its end":                       {on: at(10), exposure: []Interval{{From: at(1), To: at(10)}}},
		"in its middle":                    {on: at(5), exposure: []Interval{{From: at(1), To: at(10)}}, says: "until 2026-11-10T12:00:00Z"},
		"it lasts":                         {on: at(5), exposure: []Interval{{From: at(6)}}, says: "until 2026-11-06"},
		"it lasted until it was contained": {on: at(19), exposure: []Interval{{From: at(6)}}, is: contained, says: "until 2026-11-20"},
		"and that is over":                 {on: at(20), exposure: []Interval{{From: at(6)}}, is: contained},
		"it happened once more":            {on: at(5), exposure: []Interval{{From: at(1), To: at(3)}, {From: at(8), To: at(9)}}, says: "until 2026-11-09"},
		"nobody says that it is contained": {on: at(7), exposure: []Interval{{From: at(6)}}, is: &Containment{}},
	} {
		c := &Campaign{Exposure: row.exposure, Containment: row.is}
		said := c.Outdated(Accept{Vault: "auth/approle/role/backup", On: row.on})
		if row.says == "" {
			require.Empty(t, said, name)
			continue
		}
		require.Contains(t, said, row.says, name)
	}
}
