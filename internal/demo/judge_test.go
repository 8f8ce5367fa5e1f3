package demo

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// A campaign that knows of no doors proves on the directory alone: its record
// calls dead what the relay's saslauthd lets in for hours more. The demo asks
// the intruder, and says so.
func TestTheDemoCatchesACampaignThatProvesOnTheDirectoryAlone(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var said transcript
	d := &demo{Options: Options{Program: program, Dir: t.TempDir(), Out: &said, Err: &said}, screen: newScreen(&said)}
	require.NoError(t, d.prepare(t.Context()))
	t.Cleanup(func() { require.NoError(t, d.stop()) })
	require.NoError(t, errors.Join(d.noDoors, d.noRelay))
	d.noDomain = errors.New("not what this is about")

	_, err := d.startEstate(t.Context())
	require.NoError(t, err)
	_, err = d.init(t.Context())
	require.NoError(t, err)
	_, err = d.evidence(t.Context())
	require.NoError(t, err)
	file, err := os.ReadFile(d.campaign)
	require.NoError(t, err)
	without := strings.Replace(string(file), d.estate.DoorsYAML(), "", 1)
	require.NotEqual(t, string(file), without)
	require.NoError(t, os.WriteFile(d.campaign, []byte(without), 0o600))
	_, err = d.breakIn(t.Context())
	require.NoError(t, err)
	_, err = d.rotate(t.Context())
	require.NoError(t, err, string(said.bytes()))
	require.Empty(t, d.unexpected, "by what the servers say all is well")

	_, err = d.ask(t.Context())
	require.NoError(t, err)
	all := strings.Join(d.unexpected, "\n")
	at := d.estate.DoorPlaces()[estate.RelayDoor]
	for _, s := range d.estate.AtDoors {
		require.Contains(t, all, fmt.Sprintf("the intruder contradicts the record: %s: got in after its death (login at %s)", s.ID, at))
	}
	require.Len(t, d.estate.AtDoors, 10)
	require.Contains(t, all, "door relay: 0 of 0 are shut in the record, and of 10 that the intruder tried there 10 get in; all should be 10")
	require.Contains(t, all, "the intruder can still get in with 10 credentials")
	require.NotContains(t, all, d.estate.DoorPlaces()[estate.FilesDoor], "which keeps nothing")
	d.lastScreen()
	require.Contains(t, string(said.bytes()), "10 STILL GET IN")
	require.Contains(t, string(said.bytes()), "It did not go as it should")
}
