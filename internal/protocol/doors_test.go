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

// Each place where the thief gets in now is named, whichever is the reason.
func TestEachDoorThatTakesTheStolenValueIsNamed(t *testing.T) {
	took := func(at string) DoorEvidence { return DoorEvidence{Door: at, First: Accepted, Old: Accepted} }
	one := Shut([]string{"mail", "relay"}, []DoorEvidence{took("mail"), {Door: "relay", First: Refused}}, true)
	require.NotContains(t, one.Detail, "relay")
	three := Shut([]string{"vpn", "mail", "relay", "web"}, []DoorEvidence{{Door: "vpn", First: Refused}, took("mail"), took("relay"), took("web")}, true)
	require.Equal(t, "mail", three.Server)
	require.Contains(t, three.Detail, "still takes the stolen value (as do relay, web), although")
	two := Shut([]string{"mail", "relay"}, []DoorEvidence{took("mail"), took("relay")}, true)
	require.Contains(t, two.Detail, "(as does relay)")
}
