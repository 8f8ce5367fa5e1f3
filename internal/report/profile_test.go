package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// sampleProfile is a closed campaign of a gateway: one line is covered by two
// credentials, of which one is dead, one is none, one is later, one unanswered.
func sampleProfile(unanswered, later bool) *log {
	day := func(d int) time.Time { return time.Date(2026, 12, d, 0, 0, 0, 0, time.UTC) }
	acc := &credential.Accounting{Profile: "gateway", Title: "A mail gateway", Reviewed: "2026-11-20", Digest: "d1", Lines: []credential.LineAnswer{
		{Line: "lookup", Kind: credential.DirectoryBind, What: "accounts for lookups", Answer: credential.Covered, Credentials: 2, Matched: 1},
		{Line: "radius", Kind: credential.SharedSecret, What: "the RADIUS secret", Answer: credential.None, Reason: "single sign-on is <off>", By: "jo@desk", On: day(1)},
	}}
	if later {
		acc.Lines = append(acc.Lines, credential.LineAnswer{Line: "cluster", Kind: credential.SharedSecret, What: "the cluster's secret", Answer: credential.Later, Reason: "both nodes at once", Owner: "kim", Due: day(5), By: "jo@desk", On: day(1)})
	}
	if unanswered {
		acc.Lines = append(acc.Lines, credential.LineAnswer{Line: "seal", Kind: credential.TLSKey, What: "the certificate", Why: "has no answer", At: "answers.yaml:9"})
		acc.Unanswered, acc.UnansweredBy = "the CA sleeps", "jo@desk"
	}
	l := &log{}
	l.start()
	for _, e := range ledger.ProfileEntries(sampleCampaign, acc) {
		e.At = noon
		l.entries = append(l.entries, e)
	}
	for _, id := range []string{"corp/0000", "corp/0001"} {
		l.list(id, "uid=svc-"+id[5:]+",dc=example,dc=org", "corp", 0, credential.LDAPPassword, "kv/apps/"+id+"#password")
		l.entries[len(l.entries)-1].Lines = []credential.LineRef{{Line: "lookup", By: credential.BySource}}
	}
	l.rollClosed(2)
	l.die("corp/0000", time.Second, 2*time.Second, protocol.ProofBind, nil, nil, near)
	if unanswered {
		l.open("corp/0001", ledger.Exception, protocol.Precheck, protocol.ReasonLocked, near, "")
	} else {
		l.die("corp/0001", time.Second, 2*time.Second, protocol.ProofMetadata, nil, nil, near)
	}
	l.add(ledger.Entry{At: at(20 * time.Second), Event: ledger.CampaignClosed, Counts: &ledger.Counts{Listed: 2, Dead: 1, Open: 1}}, "")
	return l
}

func TestCompleteAndCleanAreTwoWords(t *testing.T) {
	of := func(l *log) string {
		var b bytes.Buffer
		require.NoError(t, Text(&b, l.fold(), verified, 200))
		return b.String()
	}
	clean := of(sampleProfile(false, false))
	require.Contains(t, clean, "  complete  yes\n")
	require.Contains(t, clean, "  clean     yes\n")
	require.Contains(t, clean, "covered    lookup (directory-bind): 2 credentials, 2 dead (1 by bind, 1 by metadata); 1 given to the line by kind alone")
	require.Contains(t, of(sampleProfile(false, true)), "complete  no: 1 line left for later: cluster\n")
	open := of(sampleProfile(true, true))
	require.Contains(t, open, "complete  no: 1 line without an answer: seal; 1 line left for later: cluster\n")
	require.Contains(t, open, "clean     no: it is not complete; 1 credential not dead\n")
	require.Contains(t, open, "! jo@desk went on with lines that nobody had answered: the CA sleeps\n")
	require.NotContains(t, of(sample(true)), "complete  ", "a campaign without a profile is as it was")

	page, doc := render(t, sampleProfile(true, true).fold(), verified)
	require.Contains(t, page, `<h2 id="profile">`)
	require.Contains(t, text(doc), "seal the certificate unanswered – has no answer")
	require.Contains(t, text(doc), "cluster the cluster's secret later – both nodes at once; owner kim, due 2026-12-05; said by jo@desk on 2026-12-01")
	require.NotContains(t, page, "is <off>", "what a person writes is text")
	page, _ = render(t, sample(true).fold(), verified)
	require.NotContains(t, page, `id="profile"`)
}
