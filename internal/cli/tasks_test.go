package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// What a person says cannot be taken back, so nothing is guessed of what he
// says it about.
func TestWhichTaskAndWhichEndIsMeantIsNotGuessed(t *testing.T) {
	t.Parallel()
	card := func(campaign, device string) ownmount.Card {
		return ownmount.Card{Campaign: campaign, Device: device, Credential: "person/" + device + "/radius", Name: "radius", Ends: []string{"gateway"}}
	}
	cards := []ownmount.Card{card("esg-01-1", "esg-01"), card("esg-01-2", "esg-01")}
	c, err := cardNamed(cards, "Radius")
	require.NoError(t, err)
	require.Equal(t, "esg-01-2", c.Campaign, "the newest")
	cards = append(cards, card("esg-02-1", "esg-02"))
	_, err = cardNamed(cards, "radius")
	require.ErrorContains(t, err, "2 tasks of the name radius are handed over to you")
	require.ErrorContains(t, err, "person/esg-01/radius (device esg-01)")
	c, err = cardNamed(cards, "person/esg-01/radius")
	require.NoError(t, err)
	require.Equal(t, "esg-01-2", c.Campaign)
	_, err = cardNamed(cards, "other")
	require.ErrorContains(t, err, "no task other is handed over to you")

	c.Ends = []string{"2", "1", "switch a", "switch"}
	for text, end := range map[string]string{"3": "switch a", "switch": "switch", "SWITCH A": "switch a", "switch ": "switch"} {
		got, err := endOf(c, text)
		require.NoError(t, err, text)
		require.Equal(t, end, got)
	}
	for _, text := range []string{"1", "2", "", "s", "5"} {
		_, err := endOf(c, text)
		require.ErrorContains(t, err, "--end: which of the ends", text)
	}
	c.Ends = []string{"1", "2"}
	got, err := endOf(c, "2")
	require.NoError(t, err)
	require.Equal(t, "2", got)
}

// A task has the name that a line of a manifest gives it, or a directory.
func TestTheCommandsOfATaskRunNothingThatItsNameSays(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"radius": "radius", "a $(id)": "'a $(id)'", "it's": `'it'\''s'`, "--note": "-- --note", "a\x1b[2J": "'a\uFFFD[2J'"} {
		var out bytes.Buffer
		printCard(&out, ownmount.Card{Name: name, Path: "rollcall/people/x;y", Value: credential.NewSecret("x")}, 100, time.UTC)
		require.Contains(t, out.String(), "rollcall tasks done --end 1 "+want+"\n")
		require.Contains(t, out.String(), "vault kv get -mount=rollcall -field="+credential.AnyByHand.Traits().Field+" 'people/x;y'\n")
	}
}

func TestANoteDoesNotHoldWhatWasHandedOver(t *testing.T) {
	t.Parallel()
	c := ownmount.Card{Value: credential.NewSecret("Gl4ss-Harbor-9")}
	require.NoError(t, withoutValue("--note", "web interface", c))
	require.NoError(t, withoutValue("--note", "anything", ownmount.Card{}))
	err := withoutValue("--note", "set to Gl4ss-Harbor-9, twice", c)
	require.ErrorContains(t, err, "--note holds the value that was handed over")
	require.NotContains(t, err.Error(), "Gl4ss")
}
