package metrics

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

func TestWhatWasCountedIsServedAndNothingAfterStop(t *testing.T) {
	m, err := New()
	require.NoError(t, err)
	at, stop, err := m.Serve("127.0.0.1:0")
	require.NoError(t, err)
	m.Dead(credential.LDAPPassword)
	m.Dead(credential.LDAPPassword)
	m.Open(credential.ADPassword, protocol.Set, protocol.ReasonRights)
	m.Found([]credential.Finding{{Code: credential.FindingTokensRevoked, Detail: "cn=no-name-goes-here"}})
	m.Temporal().WithTags(map[string]string{"namespace": "default"}).Counter("temporal_request").Inc(3)
	m.Temporal().Timer("temporal_request_latency").Record(20 * time.Millisecond)

	got, err := http.Get("http://" + at + "/metrics")
	require.NoError(t, err)
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	for _, line := range []string{
		`rollcall_credentials_dead_total{kind="ldap-password"} 2`,
		`rollcall_credential_passes_open_total{kind="ad-password",reason="rights",step="set"} 1`,
		`rollcall_findings_total{code="tokens-revoked"} 1`,
		`rollcall_build_info{`,
		`temporal_request_total{namespace="default"`,
		`go_goroutines`,
		`le="0.025"} 1`,
	} {
		require.Contains(t, string(text), line)
	}
	require.NotContains(t, string(text), "no-name-goes-here")

	stop()
	_, err = http.Get("http://" + at + "/metrics")
	require.Error(t, err)
}

func TestWhereNobodyListensNothingIsCounted(t *testing.T) {
	var m *Metrics
	m.Dead(credential.LDAPPassword)
	m.Open(credential.LDAPPassword, protocol.Set, protocol.ReasonRights)
	m.Found([]credential.Finding{{Code: credential.FindingTokensRevoked}})
	require.Nil(t, m.Temporal())
}

func TestAnAddressThatIsTakenIsNamed(t *testing.T) {
	m, err := New()
	require.NoError(t, err)
	at, stop, err := m.Serve("127.0.0.1:0")
	require.NoError(t, err)
	defer stop()
	_, _, err = m.Serve(at)
	require.ErrorContains(t, err, at)
}
