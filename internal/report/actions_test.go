package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// everyView is all that people are shown of a state, in one text.
func everyView(t *testing.T, s *ledger.State) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Text(&b, s, verified, 400))
	require.NoError(t, HTML(&b, s, verified, noon))
	require.NoError(t, SummaryText(&b, s, verified, noon, 400))
	require.NoError(t, SummaryHTML(&b, s, verified, noon))
	require.NoError(t, JSON(&b, s, verified))
	require.NoError(t, CSV(&b, s, Verification{}))
	return b.String()
}

func TestWhoDidWhatIsTold(t *testing.T) {
	l := sampleLeftOut()
	closed := l.entries[len(l.entries)-1]
	l.entries = l.entries[:len(l.entries)-1]
	l.add(ledger.Entry{At: at(12 * time.Second), Event: ledger.CampaignPaused, Actor: "anna@bastion"}, "1")
	l.add(ledger.Entry{At: at(13 * time.Second), Event: ledger.CampaignResumed, Actor: "bob@bastion"}, "2")
	l.add(ledger.Entry{At: at(13 * time.Second), Event: ledger.LoginAccepted, Credential: "corp/0000", Name: "approle/gw", Actor: "carol@bastion", Detail: "it cannot be changed before Monday"}, "1")
	l.add(ledger.Entry{At: at(13 * time.Second), Event: ledger.DoorNotAsked, Server: "mail", Actor: "dora@bastion", Detail: "the mail team mends its certificate"}, "1")
	l.add(ledger.Entry{At: at(14 * time.Second), Event: ledger.CampaignAborted, Actor: "root@vm"}, "3")
	l.entries = append(l.entries, closed)
	s := l.fold()
	var b bytes.Buffer
	require.NoError(t, Text(&b, s, verified, 400))
	_, did, _ := strings.Cut(b.String(), "Who did what\n")
	for _, want := range []string{
		"2026-11-23 12:00:00Z operator@bastion started the campaign with rollcall v1.2.3\n",
		"2026-11-23 12:00:10Z operator@bastion left out server " + far + " of corp: its disk burnt, a new one comes on Monday\n",
		"2026-11-23 12:00:12Z anna@bastion paused it\n",
		"2026-11-23 12:00:13Z bob@bastion resumed it\n",
		"2026-11-23 12:00:13Z carol@bastion accepted login approle/gw as open: it cannot be changed before Monday\n",
		"2026-11-23 12:00:13Z dora@bastion went on although door mail is not what the campaign file says, and is not asked: the mail team mends its certificate\n",
		"2026-11-23 12:00:14Z root@vm aborted it\n",
		"2026-11-23 12:00:20Z the program closed it\n",
		claimed,
	} {
		require.Contains(t, did, want)
	}
	_, doc := render(t, s, verified)
	page := text(elements(doc, "body")[0])
	require.Contains(t, page, "Aborted root@vm aborted it at 2026-11-23 12:00:14Z.")
	require.Contains(t, page, "Who did what When Who What Reason given Ledger entry")
	require.Contains(t, page, claimed)
	require.Contains(t, b.String(), "! Aborted. root@vm aborted it at 2026-11-23 12:00:14Z.")
	var doc2 bytes.Buffer
	require.NoError(t, JSON(&doc2, s, verified))
	require.Contains(t, doc2.String(), `"event": "campaign-aborted",
      "who": "root@vm",`)
}

// What the fold keeps as an action has words here.
func TestEveryActionOfALedgerHasWords(t *testing.T) {
	for _, e := range constants(t, "../ledger", "Event") {
		s := ledger.NewState()
		s.Add(0, ledger.Entry{ID: "x", Campaign: "c", Event: ledger.Event(e), At: noon, Actor: "a@b", Detail: "why", TookFrom: &ledger.TookFrom{Campaign: "c0"},
			Containment: &credential.Containment{Override: "why", OverrideBy: "a@b"}, Profile: &ledger.DeviceProfile{Unanswered: "why", UnansweredBy: "a@b"}})
		for _, a := range s.Actions {
			require.NotEmpty(t, deeds[a.Event], e)
		}
	}
}

// The ledger of a campaign whose roll could not be made has its end alone, in
// builds before this one.
func TestACampaignThatEndedEarlySaysWhyAndNamesNoYearThatNeverWas(t *testing.T) {
	l := &log{}
	l.add(ledger.Entry{At: at(3 * time.Second), Event: ledger.Anchored, Detail: "every checkpoint"}, "")
	l.add(ledger.Entry{At: at(3 * time.Second), Event: ledger.CampaignClosed, Device: "esg-01", Detail: "ended early: rights are missing at kv/apps; nothing was changed", Counts: &ledger.Counts{}}, "0")
	s := l.fold()
	all := everyView(t, s)
	require.NotContains(t, all, "0001")
	require.NotContains(t, all, "2562047")
	_, doc := render(t, s, verified)
	page := text(elements(doc, "body")[0])
	require.Contains(t, page, "Ended early: nothing was set It never had a roll. Rights are missing at kv/apps; nothing was changed.")
	require.NotContains(t, page, "Started")
	require.NotContains(t, page, "Empty")

	began := &log{}
	began.start()
	began.entries = append(began.entries, l.entries...)
	var b bytes.Buffer
	require.NoError(t, Text(&b, began.fold(), verified, 400))
	require.Contains(t, b.String(), "started 2026-11-23 12:00:00Z by operator@bastion, closed 2026-11-23 12:00:03Z after 3.0 s\n")
	require.Contains(t, b.String(), "! Ended early: nothing was set. It never had a roll. Rights are missing at kv/apps; nothing was changed.\n")
}

func TestACampaignThatAnotherOneEndedSaysSo(t *testing.T) {
	l := &log{}
	l.start()
	l.list("corp/1", "uid=a", "corp", 0, credential.LDAPPassword)
	l.rollClosed(1)
	l.open("corp/1", ledger.Exception, protocol.Set, protocol.ReasonSuperseded, "", "")
	l.add(ledger.Entry{At: at(20 * time.Second), Event: ledger.CampaignClosed, Counts: &ledger.Counts{Listed: 1, Open: 1}}, "")
	_, doc := render(t, l.fold(), verified)
	require.Contains(t, text(doc), "Ended by another campaign A later campaign of the device took over")
	require.Contains(t, text(doc), "1 credential is not proved dead: count each as usable")
}

func TestTheServersAndTheCampaignFileStandNearTheTop(t *testing.T) {
	l := sampleLeftOut()
	l.entries[0].Spec = &ledger.Specification{SHA256: "aa11", FileSHA256: "bb22"}
	var b bytes.Buffer
	require.NoError(t, Text(&b, l.fold(), verified, 400))
	top, _, _ := strings.Cut(b.String(), "\nLeft out")
	require.Contains(t, top, "servers of corp: "+near+" (writes), "+far+" (left out)\n")
	require.Contains(t, top, "campaign file: sha256 bb22\n")
	_, doc := render(t, l.fold(), verified)
	head := text(elements(doc, "header")[0])
	require.Contains(t, head, "Servers corp "+near+" (writes) , "+far+" (left out)")
	require.Contains(t, head, "Campaign file (SHA-256) bb22")
	require.Contains(t, text(elements(doc, "main")[0]), "All that the campaign was started with (SHA-256) aa11")
}

// The third campaign of an incident must not be read as the death of values
// that the first one killed.
func TestWhatAnEarlierCampaignKilledIsToldApart(t *testing.T) {
	l := sampleLeftOut()
	for i := range l.entries {
		if l.entries[i].Event == ledger.Listed {
			l.entries[i].DeadBefore = &credential.DeadBefore{Campaign: "esg-01-20261101T000000Z", At: noon.AddDate(0, 0, -22)}
		}
	}
	s := l.fold()
	const want = "each of them had a value called dead by an earlier campaign (the latest by esg-01-20261101T000000Z, 2026-11-01 12:00:00Z; its ledger has the proof), and this campaign ended what was set since"
	var b bytes.Buffer
	require.NoError(t, Text(&b, s, verified, 400))
	require.Contains(t, b.String(), "dead before: "+want)
	_, doc := render(t, s, verified)
	require.Contains(t, text(doc), "Dead before: "+want)
	require.Contains(t, text(doc), "a value of it called dead 2026-11-01 12:00:00Z by campaign esg-01-20261101T000000Z")
	b.Reset()
	require.NoError(t, SummaryText(&b, s, verified, noon, 400))
	require.Contains(t, b.String(), "Dead before: "+want)
	b.Reset()
	require.NoError(t, JSON(&b, s, verified))
	require.Contains(t, b.String(), `"dead_before": 2,`)
	require.NotContains(t, everyView(t, sample(true).fold()), "dead before")

	// What this one left open is not what was stolen.
	l = sample(true)
	for i := range l.entries {
		if l.entries[i].Event == ledger.Listed {
			l.entries[i].DeadBefore = &credential.DeadBefore{Campaign: "esg-01-20261101T000000Z", At: noon.AddDate(0, 0, -22)}
		}
	}
	b.Reset()
	require.NoError(t, Text(&b, l.fold(), verified, 800))
	require.Contains(t, b.String(), "of what is not dead ")
	require.Contains(t, b.String(), "what is open there is the value that was set since, unless somebody set the stolen one again")
}

func TestWhoAcceptedWhatIsOpenAndWhoSeesToItStandInEveryView(t *testing.T) {
	l := sample(true)
	closed := l.entries[len(l.entries)-1]
	l.entries = l.entries[:len(l.entries)-1]
	due := noon.AddDate(0, 0, 12)
	l.add(ledger.Entry{At: at(19 * time.Second), Event: ledger.OpenAccepted, Actor: "anna@bastion", Detail: "the rest is the network team's", Owner: "netops", Due: due}, "")
	l.add(ledger.Entry{At: at(19 * time.Second), Event: ledger.OpenAccepted, Credential: "corp/0004", Actor: "anna@bastion", Detail: "it is being replaced", Owner: "jo"}, "")
	l.entries = append(l.entries, closed)
	s := l.fold()
	_, doc := render(t, s, verified)
	page := text(doc)
	require.Contains(t, page, "Closed, and what is open was accepted Accepted as open by anna@bastion at 2026-11-23 12:00:19Z, because: the rest is the network team's; owner netops, until 2026-12-05 12:00:00Z.")
	require.Contains(t, page, "because: it is being replaced; owner jo")
	require.Contains(t, page, "anna@bastion accepted what is open and closed it, with netops to see to that the rest is the network team's")
	require.Contains(t, page, "2 credentials are not proved dead")
	rows := rowsOf(t, s)
	require.Equal(t, "jo", rows[0]["owner"])
	require.Equal(t, "netops", rows[1]["owner"])
	require.Equal(t, rfc3339(due), rows[1]["due"])
	var b bytes.Buffer
	require.NoError(t, SummaryText(&b, s, verified, noon, 400))
	require.Contains(t, b.String(), "Owner: jo.")
	b.Reset()
	require.NoError(t, JSON(&b, s, verified))
	require.Contains(t, b.String(), `"owner": "netops",
      "due": "2026-12-05T12:00:00.000Z",`)
}
