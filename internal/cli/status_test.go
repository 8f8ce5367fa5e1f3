package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// It lies beside those of campaigns, lists nobody and never ends: it is no
// campaign on which nobody works.
func TestTheLedgerOfADevicesEvidenceHasNoStatus(t *testing.T) {
	name := ledger.EvidenceOf("esg-01")
	secret, public, err := note.GenerateKey(rand.Reader, ledger.Origin(name))
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	folder := filepath.Join(t.TempDir(), name)
	log, err := ledger.Open(t.Context(), folder, name, signer, public, func(context.Context, []byte) error { return nil })
	require.NoError(t, err)
	_, err = log.Append(t.Context(), ledger.EvidenceEntries("esg-01", "rollcall", credential.LogsRead{ID: "r1"}, nil, time.Now().UTC()))
	require.NoError(t, err)
	require.NoError(t, log.Close(t.Context()))
	for _, asJSON := range []bool{true, false} {
		var out bytes.Buffer
		a := &app{Streams: Streams{Out: &out, Err: &out}, file: filepath.Join(folder, "none.yaml")}
		require.ErrorContains(t, a.statusFromLedger(t.Context(), folder, asJSON), "is the ledger of what logs show of device esg-01, and of no campaign: `rollcall report` shows it")
		require.Empty(t, out.String())
	}
}
