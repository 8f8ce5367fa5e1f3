package cli

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/ledger/served"
	"rollcall/internal/vault/ownmount"
)

// A Vault that was built anew has another key: the ledger of a device's
// evidence takes nothing more, says why and what to do, and stays as it is.
// Once a person moved it aside a new one begins, which names the one before,
// and the report of a campaign takes what is signed with its own key.
func TestALedgerOfEvidenceGoesOnWhenVaultWasBuiltAnewAndAPersonSaysSo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(v.Kill)
	t.Setenv("HOME", t.TempDir())
	v.UseIn(t, v.RootToken().Reveal())
	dir := filepath.Join(t.TempDir(), "a[b") // no pattern
	require.NoError(t, os.Mkdir(dir, 0o700))
	file, ledgers := filepath.Join(dir, "esg.yaml"), filepath.Join(dir, "ledger")
	plain := strings.Replace(besideFile, "  - {type: evidence, file: evidence-esg-01.json}\n", "", 1)
	require.NoError(t, os.WriteFile(file, []byte(plain), 0o600))
	var said written
	require.Equal(t, exitOK, Run(ctx, []string{"init", "-f", file}, Streams{In: strings.NewReader(""), Out: &said, Err: &said}), &said)

	// What the Vault before signed: a campaign, and what logs showed of it.
	const campaign, name = "esg-01-20261123T120000Z", "esg-01-evidence"
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	old := func(what string) (note.Signer, string) {
		secret, public, err := note.GenerateKey(rand.Reader, ledger.Origin(what))
		require.NoError(t, err)
		signer, err := note.NewSigner(secret)
		require.NoError(t, err)
		return signer, public
	}
	signer, key := old(name)
	read := func(id, roll string) credential.LogsRead {
		return credential.LogsRead{ID: id, Of: credential.LogReading{ReadAt: at, Roll: roll, Follows: true}, Logs: []credential.ReadLog{{Number: 1, Name: "slapd.log", Format: "openldap"}}}
	}
	log, err := ledger.Open(ctx, filepath.Join(ledgers, name), name, signer, key, func(context.Context, []byte) error { return nil })
	require.NoError(t, err)
	_, err = log.Append(ctx, ledger.EvidenceEntries("esg-01", "rollcall", read("watch-1", campaign), nil, at))
	require.NoError(t, err)
	require.NoError(t, log.Close(ctx))

	writer := &evidenceLedger{dir: ledgers, device: "esg-01", secrets: &lateSecrets{settings: ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"}}, held: time.Minute}
	defer writer.close()
	folder := filepath.Join(ledgers, name)
	before, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	require.NoError(t, err)
	err = writer.record(ctx, read("watch-2", campaign), nil)
	for _, says := range []string{"a ledger cannot change its key", "Vault was built anew, or this is another Vault", "Nothing was written", "move " + folder + " to esg-01-evidence-until-", "begin a watch with a new --state"} {
		require.ErrorContains(t, err, says)
	}
	after, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))

	require.NoError(t, os.Rename(folder, folder+"-until-20261130"))
	require.NoError(t, os.Mkdir(folder, 0o700), "a try that wrote nothing has made it")
	require.NoError(t, writer.record(ctx, read("watch-2", campaign), nil))
	require.NoError(t, writer.record(ctx, read("watch-3", campaign), nil))
	r, err := ledger.OpenReader(folder)
	require.NoError(t, err)
	var first ledger.Entry
	opened := 0
	require.NoError(t, r.Entries(ctx, 0, func(i uint64, e ledger.Entry) error {
		if e.Event == ledger.EvidenceOpened {
			first = e
			opened++
		}
		return nil
	}))
	require.Equal(t, 1, opened)
	require.Contains(t, first.Detail, "goes on from esg-01-evidence-until-20261130 (3 entries, root ")
	require.Contains(t, first.Detail, "the key "+key)
	found, err := ledger.Verify(ctx, folder, r.VerifierKey(), nil)
	require.NoError(t, err)
	require.True(t, found.OK(), found.Problems)

	// Who fetches that ledger from elsewhere gets the part too, held to what
	// the new one's first entry says of it; another one in its place is not
	// taken.
	store, err := ownmount.Open(ctx, ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	defer store.Close()
	part := name + "-until-20261130"
	for state, want := range map[string]bool{"good": true, "forged": false} {
		from := filepath.Join(t.TempDir(), "far")
		require.NoError(t, os.CopyFS(from, os.DirFS(ledgers)))
		if !want {
			require.NoError(t, os.RemoveAll(filepath.Join(from, part)))
			signer, public := old(name)
			log, err := ledger.Open(ctx, filepath.Join(from, part), name, signer, public, func(context.Context, []byte) error { return nil })
			require.NoError(t, err)
			_, err = log.Append(ctx, ledger.EvidenceEntries("esg-01", "rollcall", read("watch-9", campaign), nil, at))
			require.NoError(t, err)
			require.NoError(t, log.Close(ctx))
		}
		server, err := served.Listen(from, "127.0.0.1:0", "")
		require.NoError(t, err)
		_, port, _ := strings.Cut(strings.TrimPrefix(server.Access.URL, "https://"), ":")
		offers := []ownmount.LedgerOffer{{URL: "https://127.0.0.1:" + port, Token: server.Access.Token, Certificate: server.Access.Certificate}}
		_, err = store.OfferLedgers(ctx, offers[0])
		require.NoError(t, err)
		var heard written
		a := &app{Streams: Streams{In: strings.NewReader(""), Out: &heard, Err: &heard}, file: file, stateDir: filepath.Join(dir, state)}
		require.NoError(t, a.withVault(ctx, func(s *session) error {
			_, found, why := s.fetch(ctx, name)
			require.True(t, found, why)
			return nil
		}))
		require.NoError(t, server.Close())
		if want {
			verified, err := ledger.Verify(ctx, filepath.Join(dir, state, "fetched", part), key, nil)
			require.NoError(t, err)
			require.True(t, verified.OK(), verified.Problems)
			require.NotContains(t, heard.String(), "WARNING")
		} else {
			require.NoDirExists(t, filepath.Join(dir, state, "fetched", part))
			require.Contains(t, heard.String(), "WARNING: "+part+" is a part of that evidence which was moved aside, and could not be fetched")
		}
	}

	// A report takes the part that has its campaign's key, tells of the other
	// one, and passes over what has nothing of it.
	for roll, want := range map[string]struct {
		readings int
		warns    bool
	}{campaign: {1, true}, "esg-01-20261101T120000Z": {0, false}} {
		said = written{}
		a := &app{Streams: Streams{Err: &said}, stateDir: filepath.Join(dir, "state")}
		state := ledger.NewState()
		state.Campaign, state.Device = roll, "esg-01"
		a.takeEvidence(ctx, filepath.Join(ledgers, roll), state, key, nil)
		require.Len(t, state.Readings, want.readings)
		require.Equal(t, want.warns, strings.Contains(said.String(), "it is signed with another key than the campaign's ledger"), &said)
	}
}
