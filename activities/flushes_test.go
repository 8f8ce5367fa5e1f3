package activities

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/record"
	"rollcall/internal/vault"
	"rollcall/internal/wire"
)

// flushing is a web hook that ends what a door keeps.
func flushing(t *testing.T, does func()) door.Settings {
	hook := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { does() }))
	t.Cleanup(hook.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}))
	return door.Settings{CA: ca, Flush: &door.Flush{URL: hook.URL}}
}

// A flush is run once at most. One whose worker died in the middle of it was
// run or not: that is told, and it is not run again. What came of one is told
// by each who sees to the credential's doors, for who ran it may not have been
// heard.
func TestAFlushWhoseWorkerDiedIsToldAndNotRunAgain(t *testing.T) {
	p := newPeopled(t, nil, "flushed", "failed", "killed")
	runs := 0
	mail := flushing(t, func() { runs++ })
	mail.Type = "imaps"
	spec := &config.Campaign{Device: "esg-01", Doors: map[string]door.Settings{"mail": mail, "plain": {Type: "imaps"}}}
	of := func(name string) credential.Credential {
		return credential.Credential{ID: "person/esg-01/" + name, Doors: []credential.DoorLogin{{Door: "mail", Login: name}}}
	}
	flush := func(name string) *credential.Finding {
		return p.rotation.doorAsker(spec, "c", nil).Flush(t.Context(), of(name), of(name).Doors[0])
	}
	told := func(retried bool, names ...string) map[string][]credential.Finding {
		var cs []credential.Credential
		for _, name := range names {
			cs = append(cs, of(name))
		}
		return p.rotation.toldFlushes(t.Context(), spec, "c", cs, func(string) bool { return retried })
	}
	require.Empty(t, told(true, "flushed"), "none was begun")
	done := flush("flushed")
	require.Equal(t, credential.FindingFlushed, done.Code)
	require.Equal(t, 1, runs)
	for range 2 {
		p.restart()
		require.Nil(t, flush("flushed"), "it is told by the other way")
		require.Equal(t, map[string][]credential.Finding{"person/esg-01/flushed": {*done}}, told(false, "flushed", "failed"))
	}
	require.Equal(t, 1, runs)
	when := func(name string) time.Time {
		return p.rotation.doorAsker(spec, "c", nil).Flushed(t.Context(), of(name).ID, "mail")
	}
	require.WithinDuration(t, time.Now(), when("flushed"), time.Minute, "whoever was not told has that")
	mail.Flush.URL = "https://127.0.0.1:1"
	failed := flush("failed")
	require.Equal(t, credential.FindingFlushFailed, failed.Code)
	require.Equal(t, []credential.Finding{*failed}, told(false, "failed")["person/esg-01/failed"])

	first, err := p.store.NoteOnce(t.Context(), "c", noteFlush, "mail", "person/esg-01/killed") // and the worker dies
	require.NoError(t, err)
	require.True(t, first)
	p.restart()
	require.Nil(t, flush("killed"))
	for _, name := range []string{"failed", "killed", "never begun"} {
		require.Zero(t, when(name), name)
	}
	require.Empty(t, told(false, "killed"), "somebody else may be running it")
	for range 2 {
		unknown := told(true, "killed")["person/esg-01/killed"]
		require.Len(t, unknown, 1)
		require.Equal(t, credential.FindingFlushFailed, unknown[0].Code)
		require.Contains(t, unknown[0].Detail, "it may have been run or not, and is not run again")
	}
	require.Equal(t, 1, runs)
}

// A door takes the stolen secret-id, is flushed, and refuses it from then on:
// whoever comes after a worker whose result nobody heard finds nothing to
// flush, and tells of it all the same. The ledger keeps it once.
func TestWhatAFlushDidIsToldThoughItsResultWasLost(t *testing.T) {
	s := newSafe(t)
	s.role("esg-01", "stolen")
	login := approle("esg-01", "apps/esg-01")
	login.Doors = []credential.DoorLogin{{Door: "portal", Login: "esg-01"}}
	_, err := s.store.Activate(s.ctx, login.Paths[0], vault.Live{}, credential.NewSecret("stolen"), "")
	require.NoError(t, err)
	var flushed atomic.Int32
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if login, value, ok := r.BasicAuth(); ok && login == "esg-01" && (value != "stolen" || flushed.Load() == 0) {
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(portal.Close)
	at := flushing(t, func() { flushed.Add(1) })
	at.Type, at.Address, at.TLS, at.Path, at.Login, at.Timeout = "http", strings.TrimPrefix(portal.URL, "http://"), door.ClearText, "/", "{account}", time.Minute
	s.spec.Doors = map[string]door.Settings{"portal": at}
	batch := s.batch("first", "esg-01", login)
	var prepared []wire.PreparedItem
	require.NoError(t, s.call("Prepare", wire.PrepareInput{Batch: batch, Pass: 1, Items: []int{0}}, &prepared))
	require.Nil(t, prepared[0].Stop)
	apply := func(it wire.ApplyItem, doors wire.AskDoors) wire.AppliedItem {
		var applied []wire.AppliedItem
		require.NoError(t, s.call("Apply", wire.ApplyInput{Batch: batch, Items: []wire.ApplyItem{it}, Doors: doors}, &applied))
		return applied[0]
	}
	its := func(a wire.AppliedItem) (out []credential.Finding) {
		for _, f := range a.Findings {
			if f.Code == credential.FindingFlushed {
				out = append(out, f)
			}
		}
		return out
	}
	require.True(t, apply(wire.ApplyItem{Attempt: 1, Fresh: true}, wire.DoorsLater).AtDoors)
	lost := apply(wire.ApplyItem{Attempt: 1, Sent: true}, wire.DoorsNow)
	require.Equal(t, protocol.ReasonDoorTakesOld, lost.Stop.Reason, "it is not asked again at once: a web hook's work may go on")
	require.Len(t, its(lost), 1)
	again := apply(wire.ApplyItem{Attempt: 1, Sent: true, Unheard: true}, wire.DoorsNow)
	require.True(t, again.Dead())
	require.Equal(t, its(lost), its(again))
	require.EqualValues(t, 1, flushed.Load())
	require.Equal(t, its(lost), its(apply(wire.ApplyItem{Attempt: 1, Sent: true, Unheard: true}, wire.DoorsLater)), "before its doors are asked, too")

	recorded := func(a wire.AppliedItem) (out []ledger.Entry) {
		a.Attempt++ // whatever attempt it is
		for _, e := range record.Results(wire.ResultInput{Batch: batch, Pass: 1, Applied: []wire.AppliedItem{a}}, []credential.Credential{login}, time.Now()) {
			if e.Finding == credential.FindingFlushed {
				out = append(out, e)
			}
		}
		return out
	}
	again.Attempt++
	require.Len(t, recorded(lost), 1)
	require.Equal(t, recorded(lost)[0].ID, recorded(again)[0].ID)
}
