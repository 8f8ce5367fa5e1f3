package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/watch"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// A campaign that goes on: what dies while a watch runs is known to it.
func TestTheRollOfAWatchIsReadAgainAsItsCampaignGoesOn(t *testing.T) {
	const campaign = "esg-01-20261123T120000Z"
	a, cfg := &app{file: filepath.Join(t.TempDir(), "esg.yaml")}, &config.Campaign{Device: "esg-01", LedgerDir: lab.Folder(t)}
	r := &liveRoll{app: a, cfg: cfg}
	secret, public, err := note.GenerateKey(rand.Reader, ledger.Origin(campaign))
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	log, err := ledger.Open(t.Context(), filepath.Join(cfg.LedgerDir, campaign), campaign, signer, public, func(context.Context, []byte) error { return nil })
	require.NoError(t, err)
	defer log.Close(context.Background())
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	n := 0
	add := func(e ledger.Entry) {
		n++
		e.ID, e.Campaign, e.At = ledger.EntryID(campaign, e.Credential, "1", e.Event), campaign, at.Add(time.Duration(n)*time.Second)
		_, err := log.Append(t.Context(), []ledger.Entry{e})
		require.NoError(t, err)
	}
	const server = "ldaps://ldap1.example.org"
	add(ledger.Entry{Event: ledger.CampaignStarted, Device: "esg-01", Actor: "anna", Servers: map[string][]string{"corp": {server}}, Spec: &ledger.Specification{SHA256: "aa", FileSHA256: "bb"}})
	add(ledger.Entry{Event: ledger.Listed, Credential: "corp/1", Name: "uid=svc,dc=x", Kind: credential.LDAPPassword, Authority: "corp"})
	add(ledger.Entry{Event: ledger.RollClosed, Counts: &ledger.Counts{Listed: 1}})
	require.NoError(t, r.of(filepath.Join(cfg.LedgerDir, campaign)))
	read := func() ([]judge.Credential, bool) {
		all, changed, err := r.read(t.Context())
		require.NoError(t, err)
		return all, changed
	}
	before, err := os.ReadFile(filepath.Join(cfg.LedgerDir, campaign, "checkpoint"))
	require.NoError(t, err)
	all, changed := read()
	require.True(t, changed)
	require.True(t, all[0].Rotated.IsZero())
	_, changed = read()
	require.False(t, changed)
	add(ledger.Entry{Event: ledger.EventIntent, Credential: "corp/1", Attempt: 1})
	dead := at.Add(5 * time.Second)
	add(ledger.Entry{Event: ledger.EventOutcome, Credential: "corp/1", Attempt: 1, Proof: protocol.ProofBind, SetAt: at.Add(4 * time.Second),
		Evidence: []protocol.Evidence{{Server: server, At: dead.Format(time.RFC3339), Old: protocol.Refused, New: protocol.Accepted, Changed: "1"}}})
	r.next = time.Time{}
	all, changed = read()
	require.True(t, changed)
	require.Equal(t, dead, all[0].Rotated)

	// Who may write the folder, and holds no key, moves the death of the value
	// into a time to come.
	bundle := ""
	require.NoError(t, filepath.WalkDir(filepath.Join(cfg.LedgerDir, campaign, "tile", "entries"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path > bundle {
			bundle = path
		}
		return err
	}))
	text, err := os.ReadFile(bundle)
	require.NoError(t, err)
	moved := bytes.ReplaceAll(text, []byte(dead.Format(time.RFC3339)), []byte("2099-11-23T12:00:05Z"))
	require.NotEqual(t, text, moved)
	require.NoError(t, os.WriteFile(bundle, moved, 0o600))
	var doubt *watch.NotVerified
	r.next, r.looked = time.Time{}, r.looked.Add(-time.Hour)
	all, _, err = r.read(t.Context())
	require.ErrorAs(t, err, &doubt)
	require.Contains(t, doubt.Why, "it does not verify: ")
	require.Equal(t, dead, all[0].Rotated, "what verified before stands")

	late := &liveRoll{app: a, cfg: cfg}
	require.NoError(t, late.of(filepath.Join(cfg.LedgerDir, campaign)))
	all, _, err = late.read(t.Context())
	require.ErrorAs(t, err, &doubt)
	require.WithinDuration(t, time.Now(), all[0].Rotated, time.Minute, "a value that will be dead is")

	// The ledger of yesterday is put in the place of today's.
	require.NoError(t, os.WriteFile(bundle, text, 0o600))
	r.next, r.looked = time.Time{}, r.looked.Add(-time.Hour)
	_, _, err = r.read(t.Context())
	require.NoError(t, err)
	older := filepath.Join(cfg.LedgerDir, campaign, "checkpoint")
	require.NoError(t, os.WriteFile(older, before, 0o600))
	r.next = time.Time{}
	all, _, err = r.read(t.Context())
	require.ErrorAs(t, err, &doubt)
	require.Equal(t, dead, all[0].Rotated)
}

// A copy that nobody serves any more is stale until it is fetched again.
func TestALedgerThatNobodyServesIsStaleUntilItIsFetchedAgain(t *testing.T) {
	dir := filepath.Join(lab.Folder(t), "esg-01-20261123T120000Z")
	require.NoError(t, smallLedger(dir))
	away, asked := errors.New("nobody serves it now"), 0
	r := &liveRoll{cfg: &config.Campaign{Device: "esg-01"}, elsewhere: true, fetch: func(context.Context) error { asked++; return away }}
	require.NoError(t, r.of(dir))
	_, _, err := r.read(t.Context())
	require.NoError(t, err)
	r.closed, r.fetched = false, r.fetched.Add(-time.Hour)
	for range 3 {
		_, _, err = r.read(t.Context())
		require.ErrorIs(t, err, away)
	}
	require.Equal(t, 1, asked)
	away, r.fetched = nil, r.fetched.Add(-time.Hour)
	_, _, err = r.read(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, asked)
}

// fills is a disk that takes so many bytes and no more.
type fills struct {
	bytes.Buffer
	room int
}

func (f *fills) Write(p []byte) (int, error) {
	n, _ := f.Buffer.Write(p[:min(len(p), f.room)])
	if f.room -= n; n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestALineThatAFullDiskCutIsALineOfItsOwn(t *testing.T) {
	out := &fills{room: 30}
	a := &app{Streams: Streams{Out: out}}
	show := a.showWatched(true, time.UTC)
	b := watch.Batch{Troubles: []watch.Trouble{{ID: "1", Code: watch.Silent, Text: "x"}}}
	require.ErrorContains(t, show(b), "no space left")
	require.ErrorContains(t, show(b), "no space left")
	out.room = 1 << 20
	require.NoError(t, show(b))
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[1], `"id":"1"`)
	require.True(t, json.Valid([]byte(lines[1])))
}
