package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/ledger"
)

// What is said of dead values at a door stands beside what is not asked there.
func TestADoorsLineSaysWhatIsNotAskedThere(t *testing.T) {
	said := door.Settings{Type: "submission"}.OtherSpellings()
	s := &ledger.State{Doors: map[string]string{"relay": "submission://a", "relay-2": "submission://b", "mail@192.0.2.7": "imaps://c"}, Findings: []credential.Finding{
		{Code: credential.FindingOtherSpellings, Detail: "door relay (3 accounts): " + said},
		{Code: credential.FindingAccepted, Detail: "door mail: " + said + ", which the campaign file accepts: so"},
	}}
	by := map[string][]string{}
	for _, d := range doorsOf(s) {
		by[d.Name] = d.Outlives
	}
	require.Equal(t, []string{said}, by["relay"])
	require.Equal(t, []string{said + ", which the campaign file accepts: so"}, by["mail@192.0.2.7"])
	require.Empty(t, by["relay-2"])
}
