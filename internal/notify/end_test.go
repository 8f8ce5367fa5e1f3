package notify

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/protocol"
)

// Whoever is on call must tell an abort from an end, and what nobody has to
// look at any more from what died on some servers only.
func TestTheEndSaysHowItCameWhoEndedItAndWhatIsDeadOnSomeOnly(t *testing.T) {
	begun := []ledger.Entry{{Event: ledger.CampaignStarted, Device: "esg-01"}, listed("a", 0), listed("b", 0), {Event: ledger.RollClosed}}
	onSome := dead("a")
	onSome.LeftOut = []string{"ldaps://two"}
	due := time.Date(2026, 12, 5, 0, 0, 0, 0, time.UTC)
	told := func(between ...ledger.Entry) Notice {
		teller := newTeller(settings.Told{}, campaign)
		i := noted(teller, append(append(begun, onSome), between...)...)
		said := teller.add(i, ledger.Entry{Campaign: campaign, Event: ledger.CampaignClosed, At: due})
		require.NotEmpty(t, said)
		return said[len(said)-1]
	}
	for name, c := range map[string]struct {
		between []ledger.Entry
		want    *Ending
		text    string
	}{
		"an abort": {[]ledger.Entry{{Event: ledger.CampaignAborted, Actor: "jo@vm"}, exception("b", protocol.ReasonUnreachable)},
			&Ending{How: ledger.EndAborted, By: "jo@vm"}, "was aborted by jo@vm: 1 of 2 dead (1 on some servers or doors only), 1 open"},
		"a close": {[]ledger.Entry{{Event: ledger.OpenAccepted, Actor: "jo@vm", Detail: "the disk is broken", Owner: "directory team", Due: due}, exception("b", protocol.ReasonLagging)},
			&Ending{How: ledger.EndAccepted, By: "jo@vm", Reason: "the disk is broken", Owner: "directory team", Due: due}, "was closed by jo@vm, who accepted what is open: 1 of 2 dead (1 on some servers or doors only), 1 open; because: the disk is broken; owner directory team, until 2026-12-05 00:00:00Z"},
		"its own end": {[]ledger.Entry{exception("b", protocol.ReasonNoAccount)},
			&Ending{How: ledger.EndReached}, "ended: 1 of 2 dead (1 on some servers or doors only), 1 open"},
		"another campaign": {[]ledger.Entry{exception("b", protocol.ReasonSuperseded)},
			&Ending{How: ledger.EndSuperseded}, "was ended by a later campaign: 1 of 2 dead"},
	} {
		n := told(c.between...)
		require.Equal(t, settings.End, n.Event, name)
		require.Equal(t, c.want, n.Ending, name)
		require.Equal(t, 1, n.Counts.OnSome, name)
		require.Contains(t, n.Text, "Campaign "+campaign+" over esg-01 "+c.text, name)
	}
	body, err := json.Marshal(told(exception("b", protocol.ReasonNoAccount)))
	require.NoError(t, err)
	require.Contains(t, string(body), `"dead_on_some":1`)
	require.Contains(t, string(body), `"ending":{"how":"ended"}`)
}

func TestACampaignThatEndedBeforeItHadARollIsToldAsThat(t *testing.T) {
	teller := newTeller(settings.Told{}, campaign)
	i := noted(teller, ledger.Entry{Event: ledger.CampaignStarted, Device: "esg-01"})
	said := teller.add(i, ledger.Entry{Campaign: campaign, Event: ledger.CampaignClosed, At: time.Unix(1, 0), Detail: "ended early: no source answers"})
	n := said[len(said)-1]
	require.Equal(t, &Ending{How: ledger.EndEarly, Reason: "no source answers"}, n.Ending)
	require.Contains(t, n.Text, "ended early, and nothing was set: 0 of 0 dead, 0 open; because: no source answers")
}
