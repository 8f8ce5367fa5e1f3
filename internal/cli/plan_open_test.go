package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

func TestWhoWouldSeeToWhatStaysOpenIsAskedBeforeACampaign(t *testing.T) {
	cs := []credential.Credential{{Name: "a"}, {Name: "b", Owner: "mail team"}, {Name: "c", Task: &credential.Task{}}}
	text := nobodySeesTo(&config.Campaign{}, cs)
	require.Contains(t, text, "nobody sees to 1 of 3 if it stays open")
	require.Contains(t, text, "open: {owner: …}")
	require.Empty(t, nobodySeesTo(&config.Campaign{}, cs[1:]), "each has somebody")
	require.Empty(t, nobodySeesTo(&config.Campaign{Open: &config.OpenItems{Wait: config.Duration(time.Hour)}}, cs), "it stays for whoever closes it and names somebody")
	var out strings.Builder
	p := planOf(&config.Campaign{}, &credential.Roll{Credentials: cs, Waves: []credential.Wave{{Name: "all"}}})
	require.NoError(t, p.print(&out, 100, time.UTC))
	require.Contains(t, strings.Join(strings.Fields(out.String()), " "), text)
}
