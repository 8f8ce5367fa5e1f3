package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// A web server compares bytes. One whose users' values were stored in Latin-1
// refuses the same text in UTF-8, and takes it from whoever sends the former.
func TestAValueBeyondASCIIIsDeadInEachFormOfIt(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	web, err := lab.StartApache(t.Context(), lab.ApacheOptions{Dir: t.TempDir(), CA: r.ca, Directory: r.slapd, Users: map[string]string{
		"latin": "Stra\xdfe-1", "utf": "Straße-1", "neither": "renewed", "newer": "Stra\xdfe-2",
	}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = web.Stop(r.Context()) })
	at := door.Settings{Type: "https", Address: web.Address("https"), TLS: door.Implicit, CA: string(r.ca.PEM), Login: "{account}", Path: "/file", Timeout: 30 * time.Second}
	open := r.at(map[string]door.Settings{"page": at})
	d, err := open("page")
	require.NoError(t, err)
	ask := func(login, is, was string) protocol.DoorEvidence {
		with := atDoors{new: credential.NewSecret(is), olds: []credential.Secret{credential.NewSecret(was)}}
		ev, stop := askDoor(t.Context(), asking{door: d, at: at, as: credential.DoorLogin{Door: "page", Login: login}, with: with, looks: 1, wrong: &wrongLogins{}, now: time.Now})
		require.Nil(t, stop)
		return ev.DoorEvidence
	}
	// The value in force stands for a new one that the directory behind took
	// while the server still keeps the old one.
	require.Nil(t, ask("neither", "renewed", "Straße-1").Open(true), "refused in both")
	require.Nil(t, ask("newer", "Straße-2", "Straße-1").Open(true), "the new one is taken in the other form")
	for _, login := range []string{"latin", "utf"} {
		both := &opened.Door{Door: &alsoTakes{Door: d, value: "renewed"}}
		with := atDoors{new: credential.NewSecret("renewed"), olds: []credential.Secret{credential.NewSecret("Straße-1")}}
		ev, _ := askDoor(t.Context(), asking{door: both, at: at, as: credential.DoorLogin{Door: "page", Login: login}, with: with, looks: 1, wrong: &wrongLogins{}, now: time.Now})
		require.True(t, ev.TookOld(), "%s: %+v", login, ev)
	}
	// Nobody knows in which characters a server has what neither form can say.
	ev := ask("neither", "renewed", "пароль-1")
	require.Equal(t, protocol.ReasonDoorSilent, ev.Open(true).Reason)
	require.Contains(t, ev.Open(true).Detail, "several ways")
}

// alsoTakes is a door that takes one value besides.
type alsoTakes struct {
	door.Door
	value string
}

func (a *alsoTakes) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	if value.Reveal() == a.value {
		return door.Said{Reply: protocol.Accepted}
	}
	return a.Door.Ask(ctx, login, value)
}
