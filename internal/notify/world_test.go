package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

const campaign = "esg-01-20261129T120000Z"

// key is what web hooks are signed with, and what must be in nothing that is
// sent.
const key = "whsec_c2l4dGVlbi1ieXRlcy1vci1tb3JlLW9mLWtleQ=="

// kept is what Vault holds.
type kept map[string]string

func (k kept) ReadLive(_ context.Context, p credential.Path, _ int) (vault.Live, error) {
	v, ok := k[p.String()]
	return vault.Live{Found: ok, Value: credential.NewSecret(v)}, nil
}

// world is a ledger that grows, and a web hook that hears of it.
type world struct {
	t    *testing.T
	dir  string
	log  *ledger.Log
	hook *receiver
	told settings.Told
	at   time.Time
	n    int
}

func newWorld(t *testing.T) *world {
	skey, vkey, err := note.GenerateKey(rand.Reader, ledger.Origin(campaign))
	require.NoError(t, err)
	signer, err := note.NewSigner(skey)
	require.NoError(t, err)
	w := &world{t: t, dir: lab.Folder(t), hook: newReceiver(t), at: time.Now().UTC()}
	w.log, err = ledger.Open(t.Context(), filepath.Join(w.dir, campaign), campaign, signer, vkey, func(context.Context, []byte) error { return nil })
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.log.Close(context.Background()) })
	w.told.Notify.Targets = []settings.Target{w.hook.target()}
	return w
}

// notifier is one process, which knows of the campaign.
func (w *world) notifier() *Notifier {
	n := w.prepared()
	n.Begin(campaign, w.json(), nil)
	return n
}

// prepared is one that does not, but for what the last one left.
func (w *world) prepared() *Notifier {
	n := &Notifier{Dir: w.dir, Secrets: kept{"kv/notify#hook": key}, Log: slog.New(slog.DiscardHandler), First: time.Millisecond}
	n.Start()
	return n
}

func (w *world) json() json.RawMessage {
	told, err := json.Marshal(w.told)
	require.NoError(w.t, err)
	return told
}

type ctx = context.Context

// crash ends a process without a word.
func crash(n *Notifier) {
	n.cancel()
	n.watching.Wait()
	n.running.Wait()
}

func stop(t *testing.T, n *Notifier) int {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	return n.Stop(ctx)
}

func (w *world) add(entries ...ledger.Entry) {
	w.t.Helper()
	for i := range entries {
		w.n++
		entries[i].At = w.at.Add(time.Duration(w.n) * time.Millisecond)
		if entries[i].ID == "" {
			entries[i].ID = ledger.EntryID(campaign, entries[i].Credential, string(rune('a'+w.n)), entries[i].Event)
		}
	}
	_, err := w.log.Append(w.t.Context(), entries)
	require.NoError(w.t, err)
}

func of(id string, e ledger.Event) ledger.Entry {
	return ledger.Entry{Credential: "corp/" + id, Name: "uid=" + id, Event: e, Kind: credential.LDAPPassword, Authority: "corp"}
}

func listed(id string, wave int) ledger.Entry {
	e := of(id, ledger.Listed)
	e.Wave, e.Paths = wave, []credential.Path{{Mount: "kv", Path: "apps/" + id, Field: "password"}}
	return e
}

func dead(id string) ledger.Entry {
	e := of(id, ledger.EventOutcome)
	e.Attempt, e.Proof, e.To = 1, protocol.ProofBind, map[string]int{"kv/apps/" + id + "#password": 2}
	return e
}

func activatedAt(id string) ledger.Entry {
	e := of(id, ledger.Activated)
	e.Attempt, e.To = 1, map[string]int{"kv/apps/" + id + "#password": 2}
	return e
}

func openAt(id string, s protocol.Step, r protocol.Reason, server string) ledger.Entry {
	e := of(id, ledger.EventOpen)
	e.Step, e.Reason, e.Server = s, r, server
	return e
}

func found(id string, code credential.FindingCode) ledger.Entry {
	e := of(id, ledger.EventFinding)
	e.Finding, e.Detail = code, "the detail of "+id
	return e
}

// begins is a roll of three in two waves.
func (w *world) begins() {
	w.add(
		ledger.Entry{Event: ledger.CampaignStarted, Device: "esg-01", Actor: "root@vm", Waves: map[int]string{0: "careful", 1: "rest"}},
		listed("a", 0), listed("b", 1), listed("c", 1),
		ledger.Entry{Event: ledger.RollClosed, Counts: &ledger.Counts{Listed: 3}},
	)
}

// receiver is a web hook.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []Notice
	header []http.Header
	bodies [][]byte
	answer func(n Notice) int // nil: it takes all; 0: whoever asks is gone before he hears
	heard  chan Notice
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{heard: make(chan Notice, 1000)}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var n Notice
		_ = json.Unmarshal(body, &n)
		r.mu.Lock()
		answer := r.answer
		// Before it answers: who is told may be gone by then.
		r.got, r.header, r.bodies = append(r.got, n), append(r.header, req.Header), append(r.bodies, body)
		r.mu.Unlock()
		code := http.StatusNoContent
		if answer != nil {
			code = answer(n)
		}
		if code == 0 {
			<-req.Context().Done() // nobody waits for the answer any more
			return
		}
		w.WriteHeader(code)
		r.heard <- n
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) target() settings.Target {
	return settings.Target{Name: "hook", URL: r.URL + "/rollcall", Key: credential.Path{Mount: "kv", Path: "notify", Field: "hook"},
		CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}))}
}

func (r *receiver) answers(f func(n Notice) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// next waits until something is heard.
func (r *receiver) next(t *testing.T) Notice {
	t.Helper()
	select {
	case n := <-r.heard:
		return n
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing was told")
		return Notice{}
	}
}

// ids are those that were heard, in order, each once.
func (r *receiver) ids() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, n := range r.got {
		if !seen[n.ID] {
			seen[n.ID] = true
			out = append(out, n.ID[len(campaign)+1:])
		}
	}
	return out
}
