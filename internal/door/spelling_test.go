package door

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestANameIsAlsoAskedAsPeopleTypeIt(t *testing.T) {
	relay := Settings{Type: "submission", Software: "saslauthd", Realm: "example.org"}
	var typed, other []string
	for _, s := range relay.Spellings("svc-esg-0013", "uid=svc-esg-0013,dc=example,dc=org", nil) {
		require.True(t, s.Sure)
		if s.Typed {
			typed = append(typed, s.Login)
		} else {
			other = append(other, s.Login)
		}
	}
	require.Equal(t, []string{"Svc-esg-0013", "Svc-Esg-0013"}, typed)
	require.Equal(t, []string{"SVC-ESG-0013", "svc-esg-0013@example.org"}, other)
	require.Empty(t, Settings{Type: "imaps"}.Spellings("svc-x", "uid=svc-x,dc=example", nil))
}

func TestADoorThatKeepsSpellingsApartSaysUntilWhenAndWhatEndsIt(t *testing.T) {
	said := Settings{Type: "submission", Software: "saslauthd"}.OtherSpellings()
	require.Contains(t, said, "for up to 8h0m0s after the new one was set")
	require.Contains(t, said, "restart; no reload, no wrong login")
	require.Contains(t, Settings{Type: "http-proxy"}.OtherSpellings(), "once 2h0m0s are over, for which it may keep a login as it is shipped")
	require.Empty(t, Settings{Type: "http-proxy", Cache: time.Hour}.OtherSpellings(), "nothing is dead there before that hour is over")
	require.Contains(t, Settings{Type: "http-proxy", Cache: time.Hour, Processes: 1}.OtherSpellings(), "for up to 1h0m0s after the new one was set")
	require.NotContains(t, said, "shipped")
	require.Contains(t, Settings{Type: "https", Software: "nginx"}.OtherSpellings(), "nobody knows how long")
	require.NotEmpty(t, Settings{Type: "https", Software: "pcache"}.OtherSpellings(), "an Apache may keep logins in front of it")
	require.Empty(t, Settings{Type: "submission", Software: "dovecot"}.OtherSpellings())
	require.Empty(t, Settings{Type: "https", Software: KeepsNone}.OtherSpellings(), "as who writes the file vouches")
	require.Empty(t, Settings{Type: "ssh"}.OtherSpellings())
}
