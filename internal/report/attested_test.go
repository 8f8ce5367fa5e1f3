package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// What people have said is never in the number of what servers have shown.
func TestWhatIsAttestedIsCountedApartFromWhatIsProvedDead(t *testing.T) {
	l := &log{}
	l.start()
	l.list("corp/0001", "svc-relay", "corp", 0, credential.LDAPPassword, "kv/apps/esg-01/relay#password")
	l.list("person/esg-01/radius", "radius", "person", 1, "shared-secret")
	l.list("person/esg-01/cloud", "cloud", "person", 1, "cloud-account")
	l.rollClosed(3)
	l.die("corp/0001", 3*time.Second, 4*time.Second, protocol.ProofBind, nil, nil, near)
	l.die("person/esg-01/radius", 0, 5*time.Second, protocol.ProofAttested, nil, nil)
	closed := func() *ledger.State {
		l.add(ledger.Entry{At: at(time.Minute), Event: ledger.CampaignClosed}, "")
		return l.fold()
	}
	s := l.fold()
	require.Equal(t, "3 listed · 1 dead · 1 attested by people · 1 open", Headline(s))
	var b strings.Builder
	require.NoError(t, Text(&b, s, verified, 200))
	require.Contains(t, b.String(), "proved dead: 1 by bind; attested: 1 (no server was asked:")
	require.NotContains(t, b.String(), "by attested")
	require.Equal(t, 1, StatusOf(s, verified).Attested)
	b.Reset()
	require.NoError(t, JSON(&b, s, verified))
	var doc struct{ Attested int }
	require.NoError(t, json.Unmarshal([]byte(b.String()), &doc))
	require.Equal(t, 1, doc.Attested)
	page, doc2 := render(t, s, verified)
	require.Contains(t, text(doc2), "1 of 3 stolen credentials proved dead on all servers, and 1 attested by people")
	require.Contains(t, page, "<title>1 of 3 dead, 1 attested")
	require.Contains(t, page, `aria-label="1 dead on all servers, 1 attested, 0 open`)

	l.die("person/esg-01/cloud", 0, 6*time.Second, protocol.ProofAttested, nil, nil)
	page, doc2 = render(t, closed(), verified)
	require.Contains(t, text(doc2), "Dead, in part by people's word")
	require.Contains(t, text(doc2), "2 credentials are attested: no server was asked")
	require.NotContains(t, text(doc2), "Every listed credential was refused")
	require.Contains(t, page, `class="headline warn"`)
}
