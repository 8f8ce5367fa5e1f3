package listing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
)

// Dead is said of the spellings that are asked: a door that may take others
// says so, until a person has answered for it.
func TestADoorThatMayTakeOtherSpellingsIsAWarningUntilAPersonAnswersForIt(t *testing.T) {
	spec := &config.Campaign{Doors: map[string]door.Settings{
		"relay": {Type: "submission", Address: "mail.example.org:587", Software: "saslauthd"},
		"mail":  {Type: "imaps", Address: "mail.example.org:993"},
		"idle":  {Type: "https", Address: "www.example.org:443"},
		"db":    {Type: "https", Address: "db.example.org:443"},
	}}
	at := map[string][]string{"relay": {"192.0.2.7", "192.0.2.8"}}
	roll := &credential.Roll{Credentials: []credential.Credential{
		{Name: "uid=svc-x,dc=example,dc=org", Kind: credential.LDAPPassword, Doors: []credential.DoorLogin{{Door: "relay@192.0.2.7"}, {Door: "relay@192.0.2.8"}, {Door: "mail"}}},
		{Name: "app", Doors: []credential.DoorLogin{{Door: "db"}}},
	}}
	now := time.Date(2026, 11, 30, 20, 30, 0, 0, time.UTC)
	got := otherSpellings(spec, roll, at, now)
	require.Len(t, got, 1)
	require.Equal(t, credential.FindingOtherSpellings, got[0].Code)
	require.True(t, got[0].Code.Incomplete(), "a campaign that has all dead is not done")
	require.Contains(t, got[0].Detail, "door relay (1 account): "+door.UnaskedSpellings)
	require.Contains(t, got[0].Detail, "8h0m0s")
	require.Contains(t, got[0].Detail, "accept: - {door: relay, finding: other-spellings, until: \"2026-12-01T20:00:00Z\", reason: ")

	word := config.Accept{Door: "relay", Finding: credential.FindingOtherSpellings, Until: now.Add(time.Hour), Line: 12, Reason: "it is restarted at ten"}
	spec.Accept = []config.Accept{word, {Door: "mail", Finding: credential.FindingOtherSpellings, Reason: "so"}}
	got = otherSpellings(spec, roll, at, now)
	require.Len(t, got, 2)
	require.Equal(t, credential.FindingExcludeUnused, got[0].Code)
	require.Equal(t, credential.FindingAccepted, got[1].Code)
	require.False(t, got[1].Code.Incomplete())
	require.Contains(t, got[1].Detail, "door relay: "+door.UnaskedSpellings)
	require.Contains(t, got[1].Detail, "which the campaign file accepts: it is restarted at ten")

	// What is set later is kept by a spelling as well, and nobody has said that
	// he restarts the door once more.
	spec.Accept = spec.Accept[:1]
	got = otherSpellings(spec, roll, at, word.Until)
	require.Len(t, got, 1)
	require.Equal(t, credential.FindingOtherSpellings, got[0].Code)
	require.Contains(t, got[0].Detail, "line 12 of the campaign file accepts that until 2026-11-30T21:30:00Z, which is over (it is restarted at ten)")

	spec.Accept[0].Until, spec.Accept[0].Line = time.Time{}, 0 // as schedules of a build before have it
	got = otherSpellings(spec, roll, at, now)
	require.Equal(t, credential.FindingOtherSpellings, got[0].Code)
	require.NotContains(t, got[0].Detail, "line 0")
}
