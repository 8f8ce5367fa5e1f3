package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

func TestOnlyProvedTemporaryPasswordsAreListedForHandOver(t *testing.T) {
	l := &log{}
	l.start()
	place := func(uid string) string { return "kv/rollcall/handover/windows/" + uid + "#password" }
	for i := range named + 2 {
		uid := fmt.Sprintf("person%02d", i)
		l.list("windows/"+uid, "CN="+uid+",OU=People,DC=ad,DC=example,DC=org", "windows", 1, credential.UserPassword, place(uid))
	}
	l.list("windows/svc", "CN=svc,OU=Services,DC=ad,DC=example,DC=org", "windows", 1, credential.ADPassword, "kv/apps/esg-01/svc#password")
	for i := range named + 1 {
		l.die(fmt.Sprintf("windows/person%02d", i), time.Second, 2*time.Second, protocol.ProofMetadata, nil, nil, "ldaps://dc1.ad.example.org")
	}
	l.die("windows/svc", time.Second, 2*time.Second, protocol.ProofBind, nil, nil, "ldaps://dc1.ad.example.org")
	openOne := fmt.Sprintf("person%02d", named+1)
	l.open("windows/"+openOne, ledger.Exception, protocol.Retire, protocol.ReasonRights, "ldaps://dc1.ad.example.org", "bind.dn lacks the right")
	s := l.fold()

	var text, page, doc bytes.Buffer
	require.NoError(t, Text(&text, s, verified, 100))
	require.NoError(t, HTML(&page, s, verified, noon))
	require.NoError(t, JSON(&doc, s, verified))
	require.Contains(t, text.String(), "To hand over: temporary passwords")
	require.Contains(t, text.String(), "    "+place("person00")+"\n")
	require.Contains(t, text.String(), "  … and 1 more\n")
	require.NotContains(t, text.String(), place(openOne))
	require.Contains(t, page.String(), `<h2 id="handover">To hand over <span class="count">9</span></h2>`)
	require.Contains(t, page.String(), "<code>"+place("person08")+"</code>")
	require.NotContains(t, page.String(), "<code>"+place(openOne)+"</code>")

	var d Document
	require.NoError(t, json.Unmarshal(doc.Bytes(), &d))
	require.Len(t, d.HandOver, named+1)
	require.Equal(t, DocumentHandOver{"windows/person00", "CN=person00,OU=People,DC=ad,DC=example,DC=org", place("person00")}, d.HandOver[0])
}
