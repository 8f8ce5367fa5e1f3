package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/evidence/logs"
)

// Else a file that the only directory of its sort wrote would be nobody's.
func TestALogIsOfADirectoryByTheDriverThatTheCampaignFileSays(t *testing.T) {
	for _, f := range logs.Formats() {
		require.Subset(t, []string{config.OpenLDAP, config.DS389, config.ActiveDirectory}, f.Drivers, f.Name)
	}
}

func TestALogOfOnesOwnIsNotCalledAsOneThatIsKnown(t *testing.T) {
	c := &config.Campaign{Logs: []config.Log{{Name: "sso", Line: 3, Type: config.LogCSV, Separator: ";"}}}
	a := &app{file: "esg.yaml"}
	out, err := a.mappedLogs(c)
	require.NoError(t, err)
	require.Equal(t, "sso", out[0].Name)
	c.Logs[0].Name = "samba"
	_, err = a.mappedLogs(c)
	require.EqualError(t, err, "esg.yaml:3: logs.samba: a format that Rollcall reads by itself is called so; choose another name")
}
