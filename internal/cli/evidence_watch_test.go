package cli

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// A campaign that goes on: what dies while a watch runs is known to it.
func TestTheRollOfAWatchIsReadAgainAsItsCampaignGoesOn(t *testing.T) {
	const campaign = "esg-01-20261123T120000Z"
	a, cfg := &app{file: filepath.Join(t.TempDir(), "esg.yaml")}, &config.Campaign{Device: "esg-01", LedgerDir: t.TempDir()}
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
	add(ledger.Entry{Event: ledger.CampaignStarted, Device: "esg-01", Actor: "anna"})
	add(ledger.Entry{Event: ledger.Listed, Credential: "corp/1", Name: "uid=svc,dc=x", Kind: credential.LDAPPassword, Authority: "corp"})
	r.reader, err = ledger.OpenReader(filepath.Join(cfg.LedgerDir, campaign))
	require.NoError(t, err)
	r.state = ledger.NewState()
	read := func() ([]judge.Credential, bool) {
		all, changed, err := r.read(t.Context())
		require.NoError(t, err)
		return all, changed
	}
	all, changed := read()
	require.True(t, changed)
	require.True(t, all[0].Rotated.IsZero())
	_, changed = read()
	require.False(t, changed)
	add(ledger.Entry{Event: ledger.EventOutcome, Credential: "corp/1", Attempt: 1, Proof: protocol.ProofBind})
	all, changed = read()
	require.True(t, changed)
	require.Equal(t, at.Add(3*time.Second), all[0].Rotated)
}
