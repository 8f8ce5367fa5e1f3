package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/intruder"
)

// A campaign whose file names no door proves on the directory alone. The mail
// server and the relay in front of it go on to let the intruder in, who is not
// taken in by the record. One that names the doors ends that.
func TestTheJudgeCatchesACampaignThatProvesOnTheDirectoryAlone(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2, Doors: "svc-esg-", DoorCache: time.Hour, Relay: true})
	require.Len(t, e.AtDoors, 2)
	limits := "limits: {retry_min: 200ms, retry_max: 1s, deadline: 20s, batch: 20}\n"
	file, err := e.CampaignFile(nil, limits)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	r := startRaid(t, e)
	at := e.DoorPlaces()
	files := at[estate.FilesDoor]
	let := func(in func(intruder.Result) bool) bool {
		for _, s := range e.AtDoors {
			for _, server := range s.Servers {
				for _, res := range r.soFar() {
					if res.ID == s.ID && res.Server == server && !in(res) {
						return false
					}
				}
			}
		}
		return len(r.soFar()) >= 4*len(e.AtDoors)
	}
	require.Eventually(t, func() bool { return let(func(res intruder.Result) bool { return res.Successes > 0 }) }, patience, 50*time.Millisecond)

	u.must("run")
	claimed := deaths(t, u.ledger())
	require.Len(t, claimed, 2)
	last := claimed[0].At
	if claimed[1].At.After(last) {
		last = claimed[1].At
	}
	last = last.Add(time.Millisecond) // results are to the millisecond
	require.Eventually(t, func() bool {
		return let(func(res intruder.Result) bool { return res.Server == files || res.LastSuccess.After(last) })
	}, patience, 50*time.Millisecond, "the mail server and the relay still let it in")
	in := 0
	for _, v := range intruder.Judge(r.soFar(), claimed) {
		if v.What == intruder.GotIn {
			require.Contains(t, []string{at[estate.MailDoor], at[estate.RelayDoor]}, v.Server, "%s", v)
			in++
		}
	}
	require.Equal(t, 4, in, "and it says so of each value")

	_, err = e.CampaignFile(nil, e.DoorsYAML()+limits)
	require.NoError(t, err)
	u.must("run")
	state := u.ledger()
	results := r.end()
	requireAllDead(t, state, results)
	lives := intruder.Lives(results)
	require.Len(t, lives, 6)
	for _, l := range lives {
		require.False(t, l.In, "%+v", l)
		require.True(t, l.Server == files || l.For > 0, "%+v", l)
	}
}
