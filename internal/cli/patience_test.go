package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/workflows"
)

// A Vault that takes requests and answers none is said to be away: no other
// question to it is waited for until then.
func TestAVaultThatHangsIsNotWaitedForBeforeItIsSaid(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "auth/token/lookup-self") {
			_, _ = io.WriteString(w, `{"data":{"ttl":0,"policies":["root"]}}`)
			return
		}
		<-r.Context().Done()
	}))
	defer srv.Close()
	t.Setenv("VAULT_ADDR", srv.URL)
	t.Setenv("VAULT_TOKEN", "t")
	t.Setenv("ROLLCALL_ROLE_ID", "")
	store, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	defer func() { _ = store.Close() }()
	s := &session{app: &app{Streams: Streams{Out: io.Discard, Err: io.Discard}}, cfg: &config.Campaign{Device: "esg-01"}, store: store}
	ctx, cancel := context.WithTimeout(t.Context(), vault.RequestTimeout)
	defer cancel()
	began := time.Now()
	require.False(t, s.newPatience("c", "w", nil).sayTakenOver(ctx, false))
	require.NoError(t, ctx.Err(), "it took %s", time.Since(began))
	require.Contains(t, s.vaultAway(ctx), "does not answer")
}

// Whoever looks at the screen sees what it waits for as long as it does. What
// is printed above it is gone with the next look, and leaves a copy of it.
func TestWhatIsWaitedForStandsOnTheScreenOfATerminalAndInAPipeOnce(t *testing.T) {
	const text = "waiting: no answer yet from ldaps://two"
	of := func(terminal bool) (*patience, *bytes.Buffer) {
		var out bytes.Buffer
		s := &session{app: &app{Streams: Streams{Err: &out}}, cfg: &config.Campaign{Device: "esg-01"}}
		v := &view{session: s, zone: time.UTC, terminal: terminal, next: 3, state: ledger.NewPackedState()}
		return s.newPatience("c", "w", v), &out
	}
	p, out := of(true)
	for range 3 {
		require.False(t, p.tell(text, "ldaps://two"))
	}
	require.Empty(t, out.String())
	p.view.login = "Rollcall's login to Vault has ended"
	for range 3 {
		p.view.showNow()
	}
	require.Equal(t, 3, strings.Count(out.String(), "  "+text), "in each frame")
	require.Equal(t, 2, strings.Count(out.String(), "\r\x1b["), "each is drawn over the last")
	require.Equal(t, 3, strings.Count(out.String(), "  "+p.view.login))
	lock := time.Now().UTC().Truncate(time.Second).Add(time.Hour)
	p.view.zone = time.FixedZone("", 3600)
	p.view.state.Add(0, ledger.Entry{ID: "1", Event: ledger.Listed, Credential: "corp/a", Name: "uid=a"})
	p.view.state.Add(1, ledger.Entry{ID: "2", Event: ledger.EventOpen, Credential: "corp/a", Step: protocol.Precheck, Reason: protocol.ReasonLocked, Until: lock})
	out.Reset()
	p.view.showNow()
	require.Contains(t, out.String(), "until "+lock.In(p.view.zone).Format(clockTime))
	out.Reset()
	p.view.next, p.waiting = 0, ""
	require.True(t, p.tell(text, "ldaps://two"), "there is no screen while it is listed")

	p, out = of(false)
	require.True(t, p.tell(text, "ldaps://two"))
	require.False(t, p.tell(text, "ldaps://two"))
	require.Equal(t, text+"\n", out.String())
}

// Whoever asks for the status is told what whoever follows the campaign is.
func TestWhatKeepsACampaignFromGoingOnComesBeforeWhatComesNext(t *testing.T) {
	next := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	st := &workflows.Status{Phase: ledger.Running, Waves: []workflows.WaveStatus{{Listed: 1, Open: 1, Next: next, Until: next}}}
	require.Equal(t, "waiting (tried 3 times): no room", waitLine("waiting (tried 3 times): no room", st, time.UTC))
	require.Equal(t, "waiting (tried 3 times): no room", waitLine("waiting (tried 3 times): no room", nil, time.UTC))
	require.Contains(t, waitLine("", st, time.UTC), "waiting: 1 open is tried again at 12:00:00Z")
	require.Empty(t, waitLine("", nil, time.UTC))
	require.Empty(t, waitLine("", &workflows.Status{Phase: ledger.Running}, time.UTC))
	require.Equal(t, "waiting: what was to be tried first was tried; the others wait. `rollcall run` goes on with them, `rollcall abort` ends the campaign",
		waitLine("", &workflows.Status{Phase: ledger.Paused, Held: true}, time.UTC))
}
