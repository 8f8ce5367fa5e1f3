package metrics

import (
	"context"
	"errors"
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
	m.Told("end", false)
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
		`rollcall_notifications_total{event="end",result="failed"} 1`,
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

func TestHealthSaysWhatIsWrongAndOKOnceAllIsInOrder(t *testing.T) {
	m, err := New()
	require.NoError(t, err)
	at, stop, err := m.Serve("127.0.0.1:0")
	require.NoError(t, err)
	defer stop()
	ask := func() (int, string) {
		got, err := http.Get("http://" + at + "/healthz")
		require.NoError(t, err)
		defer got.Body.Close()
		text, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		return got.StatusCode, string(text)
	}
	code, said := ask()
	require.Equal(t, 503, code)
	require.Equal(t, "starting\n", said)
	wrong := errors.New("its login has ended")
	m.Check("vault", func(context.Context) error { return wrong })
	m.Ready()
	code, said = ask()
	require.Equal(t, 503, code)
	require.Equal(t, "vault: its login has ended\n", said)
	wrong = nil
	code, said = ask()
	require.Equal(t, 200, code)
	require.Equal(t, "ok\n", said)
}

func TestWhereNobodyListensNothingIsCounted(t *testing.T) {
	var m *Metrics
	m.Dead(credential.LDAPPassword)
	m.Open(credential.LDAPPassword, protocol.Set, protocol.ReasonRights)
	m.Found([]credential.Finding{{Code: credential.FindingTokensRevoked}})
	m.Told("end", true)
	m.Check("vault", nil)
	m.Ready()
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
