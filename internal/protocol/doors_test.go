package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Where the thief gets in now is what has to be ended first.
func TestADoorThatTakesTheStolenValueIsTheReasonWhereverItStands(t *testing.T) {
	open := DoorEvidence{Door: "mail", First: Accepted, Old: Accepted}
	for name, other := range map[string]DoorEvidence{
		"held":                  {Door: "relay"},
		"silent":                {Door: "relay", First: Unreachable},
		"refuses the new value": {Door: "relay", First: Refused},
		"of guests":             {Door: "relay", First: Guest},
		"silent to the old one": {Door: "relay", First: Accepted, Old: Unreachable},
		"shut":                  {Door: "relay", First: Accepted, Old: Refused, New: Accepted},
	} {
		for _, doors := range [][]string{{"relay", "mail"}, {"mail", "relay"}} {
			stop := Shut(doors, []DoorEvidence{other, open}, true)
			require.NotNil(t, stop, name)
			require.Equal(t, ReasonDoorTakesOld, stop.Reason, name)
			require.Equal(t, "mail", stop.Server, name)
		}
	}
	two := []DoorEvidence{{Door: "relay", First: Refused}, {Door: "mail", First: Unreachable}}
	require.Equal(t, ReasonDoorRefusesNew, Shut([]string{"relay", "mail"}, two, true).Reason, "else the first in the list")
	require.Equal(t, ReasonDoorTakesOld, Shut([]string{"not asked", "mail"}, []DoorEvidence{open}, true).Reason)
}
