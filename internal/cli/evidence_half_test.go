package cli

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// evidence record that died half way left a reading that begins and does not
// end: verify and report say so, and it hides nothing of the others. The same
// entries once more make it whole.
func TestARecordThatDiedHalfWayIsToldApartFromAWholeOne(t *testing.T) {
	const name = "esg-01-evidence"
	folder := filepath.Join(t.TempDir(), name)
	secret, public, err := note.GenerateKey(rand.Reader, ledger.Origin(name))
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	read := credential.LogsRead{ID: "0f0f0f0f0f0f0f0f", Of: credential.LogReading{SHA256: strings.Repeat("0f", 32), ReadAt: at, Roll: "esg-01-20261123T120000Z"},
		Logs: []credential.ReadLog{{Number: 1, Name: "slapd.log", SHA256: strings.Repeat("a1", 32), Format: "openldap", Authority: "corp", Lines: 40}}, Counts: credential.ReadingCounts{Logs: 1}}
	entries := ledger.EvidenceEntries("esg-01", "rollcall", read, nil, at)
	write := func(some []ledger.Entry) {
		log, err := ledger.Open(t.Context(), folder, name, signer, public, func(context.Context, []byte) error { return nil })
		require.NoError(t, err)
		_, err = log.Append(t.Context(), some)
		require.NoError(t, err)
		require.NoError(t, log.Close(t.Context()))
	}
	shows := func() (verify, report string) {
		code, verify, said := command(t, "ledger", "verify", "--ledger", folder)
		require.Zero(t, code, verify+said)
		code, report, said = command(t, "report", "--ledger", folder)
		require.Zero(t, code, report+said)
		return verify, strings.Join(strings.Fields(report), " ")
	}
	write(entries[:len(entries)-1])
	verify, report := shows()
	require.Contains(t, verify, "begun at 2026-11-24T10:00:00Z and never ended, so some of it may be missing")
	require.Contains(t, report, "begun at 2026-11-24 10:00:00Z and never ended: findings of it may be missing")
	write(entries)
	verify, report = shows()
	require.NotContains(t, verify+report, "never ended")
	require.Contains(t, verify, "reading 0f0f0f0f0f0f0f0f of the file with sha256 "+read.Of.SHA256+": 1 log")
}
