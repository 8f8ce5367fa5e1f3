package activities

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/notify"
	"rollcall/internal/notify/settings"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// hookOf is a web hook that answers with code and hands on what it is told.
func hookOf(t *testing.T, code int) (settings.Target, chan notify.Notice) {
	told := make(chan notify.Notice, 100)
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var n notify.Notice
		_ = json.Unmarshal(body, &n)
		w.WriteHeader(code)
		told <- n
	}))
	t.Cleanup(hook.Close)
	return settings.Target{Name: "soc", URL: hook.URL, Key: credential.Path{Mount: "kv", Path: "notify", Field: "soc"},
		CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}))}, told
}

// A schedule's campaign that cannot even list is what somebody has to hear of.
func TestTheEndOfACampaignWithoutARollIsToldWithItsReason(t *testing.T) {
	s := newSafe(t)
	hook, told := hookOf(t, http.StatusOK)
	_, err := s.api.Logical().Write("kv/data/notify", map[string]any{"data": map[string]any{"soc": "a-key-of-some-length"}})
	require.NoError(t, err)
	spec := *s.spec
	spec.Device, spec.Notify.Targets = "esg-01", []settings.Target{hook}
	text, err := json.Marshal(spec)
	require.NoError(t, err)
	require.NoError(t, Open(s.ctx, s.store, ownmount.CampaignRecord{Campaign: "early-2", Device: "esg-01", Actor: "root@vm"}, text))
	l := &Ledger{Store: s.store, Dir: folderOf(t)}
	n := &notify.Notifier{Dir: l.Dir, Secrets: s.store, Log: slog.New(slog.DiscardHandler), First: time.Millisecond}
	Notify(l, n)
	n.Start()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(l)
	_, err = env.ExecuteActivity(wire.DoRecordEvent, wire.EventInput{Campaign: "early-2", Device: "esg-01", Event: ledger.CampaignClosed, Detail: "ended early: rights are missing"})
	require.NoError(t, err)
	require.Zero(t, n.Stop(s.ctx))
	require.Len(t, told, 1)
	end := <-told
	require.Equal(t, settings.End, end.Event)
	require.Equal(t, "esg-01", end.Device)
	require.Contains(t, end.Text, "ended early, and nothing was set")
	require.Contains(t, end.Text, "because: rights are missing")
}

// Who could not be told is in the record, once, and never after its last entry.
func TestWhoWasNotToldIsRecordedOnceAndNotAfterTheEnd(t *testing.T) {
	s := newSafe(t)
	hook, told := hookOf(t, http.StatusInternalServerError)
	_, err := s.api.Logical().Write("kv/data/notify", map[string]any{"data": map[string]any{"soc": "a-key-of-some-length"}})
	require.NoError(t, err)
	l := &Ledger{Store: s.store, Dir: folderOf(t)}
	n := &notify.Notifier{Dir: l.Dir, Secrets: s.store, Log: slog.New(slog.DiscardHandler), First: time.Millisecond}
	Notify(l, n)
	recorded := make(chan struct{}, 10)
	record := n.Failed
	n.Failed = func(ctx context.Context, campaign, target, said string) {
		record(ctx, campaign, target, said)
		recorded <- struct{}{}
	}
	n.Start()
	text, err := json.Marshal(settings.Told{Notify: settings.Notify{Targets: []settings.Target{hook}}})
	require.NoError(t, err)
	require.NoError(t, s.store.OpenCampaign(s.ctx, ownmount.CampaignRecord{Campaign: "told-1", Device: "esg-01"}))
	n.Begin("told-1", text, nil)
	require.NoError(t, l.append(s.ctx, "told-1", []ledger.Entry{
		{ID: "1", Campaign: "told-1", Event: ledger.CampaignStarted, Device: "esg-01"}, {ID: "2", Campaign: "told-1", Event: ledger.RollClosed, Counts: &ledger.Counts{}},
	}))
	<-recorded
	require.GreaterOrEqual(t, len(told), 3)
	found := func() (n int) {
		state, err := l.stateNow(s.ctx, "told-1")
		require.NoError(t, err)
		for _, f := range state.Findings {
			if f.Code == credential.FindingNotifyFailed {
				require.Contains(t, f.Detail, "soc answered 500")
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, found())
	l.lastWord("told-1")
	l.notTold(s.ctx, "told-1", "another", "another answered 500")
	require.Equal(t, 1, found())
	require.Positive(t, n.Stop(s.ctx))
	l.notTold(s.ctx, "told-2", "soc", "it opens no ledger")
	require.NoDirExists(t, filepath.Join(l.Dir, "told-2"))
}
