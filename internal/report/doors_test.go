package report

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// sampleDoors has n accounts that two doors take, the last of which nobody
// knows the stolen value of.
func sampleDoors(n int) *ledger.State {
	l := &log{}
	l.start()
	l.entries[0].DoorPlaces = map[string]string{"mail": "imaps://mail.example.org:993", "files": "ftp://files.example.org:21"}
	for i := range n {
		id := "corp/" + string(rune('a'+i))
		l.list(id, "uid=svc-"+string(rune('a'+i))+",ou=people,dc=example,dc=org", "corp", 1, credential.LDAPPassword, "kv/apps/esg-01/"+string(rune('a'+i))+"#password")
		l.entries[len(l.entries)-1].Doors = []string{"files", "mail"}
	}
	l.rollClosed(n)
	for i := range n {
		proof, old := protocol.ProofBind, protocol.Refused
		if i == n-1 {
			proof, old = protocol.ProofMetadata, ""
		}
		l.die("corp/"+string(rune('a'+i)), time.Second, 2*time.Second, proof, nil, nil, "ldaps://ldap1.example.org")
		for _, d := range []string{"files", "mail"} {
			l.entries[len(l.entries)-1].AtDoors = append(l.entries[len(l.entries)-1].AtDoors, protocol.DoorEvidence{
				Door: d, First: protocol.Accepted, Old: old, New: protocol.Accepted, At: at(2 * time.Second).Format("2006-01-02T15:04:05.000Z")})
		}
	}
	l.add(ledger.Entry{At: at(9 * time.Second), Event: ledger.CampaignClosed}, "")
	return l.fold()
}

// Who reads the report sees of each credential what every server and every door
// made of both values, and where the door is.
func TestEveryReportShowsTheProofAtServersAndDoors(t *testing.T) {
	s := sampleDoors(2)
	_, doc := render(t, s, verified)
	page := text(doc)
	for _, want := range []string{
		"mail imaps://mail.example.org:993 1 of 2 values refused as stolen, the new one accepted before and after; of 1 more the stolen value is not known, and the new one is accepted",
		"At its doors Door New value Stolen value New value again Observed files ftp://files.example.org:21 accepted refused accepted 2026-11-23T12:00:02.000Z mail imaps://mail.example.org:993 accepted refused accepted",
		"files ftp://files.example.org:21 accepted not known accepted",
		"Services in front of those servers that the campaign file does not name as doors",
	} {
		require.Contains(t, page, want)
	}
	var b strings.Builder
	require.NoError(t, Text(&b, s, verified, 100))
	flat := strings.Join(strings.Fields(b.String()), " ")
	require.Contains(t, flat, "what each showed, server by server and door by door: uid=svc-a,ou=people,dc=example,dc=org [corp]"+
		" ldaps://ldap1.example.org stolen refused, new accepted at 12:00:02Z;"+
		" files new accepted, stolen refused, new accepted at 12:00:02Z; mail new accepted, stolen refused, new accepted at 12:00:02Z"+
		" uid=svc-b,ou=people,dc=example,dc=org [corp] ldaps://ldap1.example.org stolen not known, new accepted at 12:00:02Z;"+
		" files new accepted, stolen not known, new accepted at 12:00:02Z")
	require.NotContains(t, flat, "more, in the HTML")
	for _, report := range []string{page, flat} { // what no login from outside shows
		require.Contains(t, strings.ReplaceAll(report, "`", ""), "may go on when the password is dead: IMAP (Dovecot), as long as it is used; to end it: doveadm kick USER first")
		require.Contains(t, report, "may go on when the password is dead: FTP, as long as it is used; to end it: restart of the server")
	}

	b.Reset()
	require.NoError(t, Text(&b, sampleDoors(5), verified, 60))
	require.Contains(t, b.String(), "… and 2 more, in the HTML report and in JSON\n")
}
