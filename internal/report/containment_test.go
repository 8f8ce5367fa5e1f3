package report

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// Status, terminal, JSON and page say how the device is contained, and who went
// on all the same.
func TestEveryReportSaysHowTheDeviceIsContained(t *testing.T) {
	l := &log{}
	l.start()
	l.entries = append(l.entries, ledger.ContainmentEntry(sampleCampaign, &credential.Containment{
		How: credential.Off, At: noon.Add(-time.Hour), By: "jo@desk", Note: "<unplugged>", Named: []string{"192.0.2.10"}, Addresses: []string{"192.0.2.10"}, Ports: []int{22},
		AskedAt: noon, Answers: []string{"192.0.2.10:22 accepts connections"}, Override: "the mail must flow", OverrideBy: "kim@desk",
	}, noon))
	l.rollClosed(0)
	s := l.fold()
	var text, page, doc, status bytes.Buffer
	require.NoError(t, Text(&text, s, Verification{}, 400))
	require.Contains(t, text.String(), "  the device is contained (off) since 2026-11-23T11:00:00Z, says jo@desk: <unplugged>; it ANSWERS: 192.0.2.10:22 accepts connections; kim@desk went on all the same: the mail must flow\n")
	require.NoError(t, HTML(&page, s, Verification{}, noon))
	require.Contains(t, page.String(), "<dt>Containment</dt><dd>the device is contained (off) since 2026-11-23T11:00:00Z, says jo@desk: &lt;unplugged&gt;; it ANSWERS")
	require.NoError(t, JSON(&doc, s, Verification{}))
	require.NoError(t, writeJSON(&status, StatusOf(s, Verification{})))
	for _, b := range [][]byte{doc.Bytes(), status.Bytes()} {
		var d struct {
			Containment *credential.Containment `json:"containment"`
		}
		require.NoError(t, json.Unmarshal(b, &d))
		require.Equal(t, s.Containment, d.Containment)
	}
}
