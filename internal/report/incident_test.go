package report

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// The words are of whoever wrote the campaign file, and go to browsers,
// spreadsheets and ticket systems.
func TestTheIncidentStandsInEachReportAndBreaksNone(t *testing.T) {
	l := &log{}
	l.start()
	l.entries[0].Incident = &credential.Incident{Number: "<b>INC0012345</b>", Severity: "=1+1", ApprovedBy: "Jo\u202e Miller"}
	l.list("corp/1", "svc-1", "corp", 0, credential.LDAPPassword)
	l.open("corp/1", ledger.EventOpen, protocol.Prove, protocol.ReasonLagging, "ldaps://two", "")
	s := l.fold()
	var b bytes.Buffer
	require.NoError(t, Text(&b, s, verified, 120))
	require.Contains(t, b.String(), "incident <b>INC0012345</b>, severity =1+1, approved by Jo")
	b.Reset()
	require.NoError(t, SummaryText(&b, s, verified, noon, 120))
	require.Contains(t, b.String(), "<b>INC0012345</b>, severity =1+1")
	b.Reset()
	require.NoError(t, HTML(&b, s, verified, noon))
	require.NoError(t, SummaryHTML(&b, s, verified, noon))
	require.NotContains(t, b.String(), "<b>INC")
	require.NotContains(t, b.String(), "\u202e")
	require.Equal(t, 2, bytes.Count(b.Bytes(), []byte("&lt;b&gt;INC0012345&lt;/b&gt;, severity =1&#43;1")))
	b.Reset()
	require.NoError(t, JSON(&b, s, verified))
	require.Contains(t, b.String(), `"number": "<b>INC0012345</b>",`)
	for _, row := range rowsOf(t, s) {
		require.Equal(t, "<b>INC0012345</b>", row["incident"])
		require.Equal(t, "'=1+1", row["severity"])
	}
	require.NotEmpty(t, rowsOf(t, s))

	// Without one nothing of it is there.
	l.entries[0].Incident = nil
	b.Reset()
	require.NoError(t, Text(&b, l.fold(), verified, 120))
	require.NoError(t, HTML(&b, l.fold(), verified, noon))
	require.NoError(t, JSON(&b, l.fold(), verified))
	require.NotContains(t, b.String(), "ncident")
}
