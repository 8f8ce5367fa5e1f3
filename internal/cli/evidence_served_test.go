package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
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
	"rollcall/workflows"
)

// Whoever reads a campaign's ledger from a ledger worker gets what logs show of
// the device since, too: with report, on the last screen of run, and in the
// page that it writes. What could not be fetched is said.
// Each offer of somebody who gives out nothing any more costs every reader a
// try.
func TestWhoGivesLedgersOutTakesHisOwnOfferBackAtTheEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(v.Kill)
	t.Setenv("HOME", t.TempDir())
	v.UseIn(t, v.RootToken().Reveal())
	file := filepath.Join(t.TempDir(), "esg.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(besideFile, "  - {type: evidence, file: evidence-esg-01.json}\n", "", 1)), 0o600))
	var said written
	a := &app{Streams: Streams{In: strings.NewReader(""), Out: &said, Err: &said}, file: file, stateDir: t.TempDir()}
	require.Equal(t, exitOK, Run(ctx, []string{"init", "-f", file}, a.Streams), &said)
	require.NoError(t, a.withVault(ctx, func(s *session) error {
		offered := func() (out []string) {
			all, err := s.store.LedgerOffers(ctx)
			require.NoError(t, err)
			for _, o := range all {
				out = append(out, o.URL)
			}
			return out
		}
		give := func(url string) *given {
			_, server, err := s.serveLedgers(ctx, s.store, t.TempDir(), serving{"127.0.0.1:0", url})
			require.NoError(t, err)
			return server
		}
		first, second := give("https://one.example.org:1"), give("https://two.example.org:1")
		require.Equal(t, []string{"https://two.example.org:1", "https://one.example.org:1"}, offered(), "the latest is asked first")
		again := give("https://one.example.org:1")
		first.end()
		require.Len(t, offered(), 2, "it is another one's by now")
		again.end()
		require.Equal(t, []string{"https://two.example.org:1"}, offered())
		second.end()
		require.Empty(t, offered())
		third := give("https://two.example.org:1")
		require.Len(t, offered(), 1)
		third.end()
		return nil
	}))
}

func TestWhoIsElsewhereSeesWhatLogsShowSince(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(v.Kill)
	t.Setenv("HOME", t.TempDir())
	v.UseIn(t, v.RootToken().Reveal())
	dir := t.TempDir()
	file, ledgers, state := filepath.Join(dir, "esg.yaml"), filepath.Join(dir, "far"), filepath.Join(dir, "state")
	plain := strings.Replace(besideFile, "  - {type: evidence, file: evidence-esg-01.json}\n", "", 1)
	require.NoError(t, os.WriteFile(file, []byte(plain), 0o600))
	const campaign = "esg-01-20261123T120000Z"
	run := func(args ...string) (stdout, stderr string, code int) {
		var out, said written
		code = Run(ctx, append(args, "-f", file, "--state-dir", state), Streams{In: strings.NewReader(""), Out: &out, Err: &said})
		return strings.Join(strings.Fields(out.String()), " "), said.String(), code
	}
	_, said, code := run("init")
	require.Equal(t, exitOK, code, said)
	settings := ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"}
	store, err := ownmount.Open(ctx, settings)
	require.NoError(t, err)
	defer store.Close()
	signer, err := store.Signer(ctx, ledger.Origin(campaign))
	require.NoError(t, err)
	public, err := store.VerifierKey(ctx, ledger.Origin(campaign))
	require.NoError(t, err)
	require.NoError(t, smallLedgerBy(filepath.Join(ledgers, campaign), signer, public))
	require.NoError(t, store.OpenCampaign(ctx, ownmount.CampaignRecord{Device: "esg-01", Campaign: campaign}))
	begun, err := os.ReadFile(filepath.Join(ledgers, campaign, "checkpoint"))
	require.NoError(t, err)
	anchor := func() { require.NoError(t, store.Anchor(ctx, campaign, begun, ownmount.LedgerPlace{})) }
	anchor()
	server, err := served.Listen(ledgers, "127.0.0.1:0", "")
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	offer := func(url string) {
		_, err := store.OfferLedgers(ctx, ownmount.LedgerOffer{URL: url, Token: server.Access.Token, Certificate: server.Access.Certificate})
		require.NoError(t, err)
	}
	_, serves, _ := strings.Cut(strings.TrimPrefix(server.Access.URL, "https://"), ":")
	offer("https://127.0.0.1:" + serves)

	out, said, code := run("report", campaign)
	require.Equal(t, exitOK, code, said)
	require.NotContains(t, said, "WARNING", "there is no evidence yet")
	require.NotContains(t, out, "tried-after-rotation")

	writer := &evidenceLedger{dir: ledgers, device: "esg-01", secrets: &lateSecrets{settings: settings}, held: time.Minute}
	defer writer.close()
	dies := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	read := credential.LogsRead{ID: "watch-1", Of: credential.LogReading{ReadAt: dies, Roll: campaign, Follows: true}, Logs: []credential.ReadLog{{Number: 1, Name: "slapd.log", Format: "openldap", Authority: "corp", Server: "ldap1"}}}
	tried := func(n int) {
		sign := credential.Sign{Code: "tried-after-rotation", Grade: credential.Probable, Rule: "new-place", Findings: 1, Count: n, First: dies, Last: dies, Outcome: "refused", Addresses: []string{"203.0.113.9"}, At: &credential.LogPlace{Log: 1, Name: "slapd.log", Line: 7}}
		require.NoError(t, writer.record(ctx, read, []credential.Credential{{ID: "corp/1", Name: "uid=svc-1,dc=example,dc=org", Signs: []credential.SignOf{{Reading: read.ID, Sign: sign}}}}))
	}
	tried(3)
	page := filepath.Join(dir, "report.html")
	for n := 3; n < 6; n++ {
		tried(n)
		out, said, code = run("report", campaign)
		require.Equal(t, exitOK, code, said)
		require.NotContains(t, said, "WARNING")
		require.Contains(t, out, "tried-after-rotation, "+[]string{"3", "4", "5"}[n-3]+" times")
		require.Contains(t, out, "in ledger esg-01-evidence")
	}
	_, said, code = run("report", campaign, "--html", page)
	require.Equal(t, exitOK, code, said)
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "5 × tried after its death (probable)")

	// A worker that gives an older copy, or another ledger, is not believed,
	// that is said, and the next one is asked; a good copy stays.
	const evidence = "esg-01-evidence"
	older, forged := filepath.Join(dir, "older"), filepath.Join(dir, "forged")
	require.NoError(t, os.CopyFS(filepath.Join(older, evidence), os.DirFS(filepath.Join(ledgers, evidence))))
	tried(6)
	copied := filepath.Join(state, "fetched")
	secret, foreign, err := note.GenerateKey(rand.Reader, ledger.Origin(evidence))
	require.NoError(t, err)
	thief, err := note.NewSigner(secret)
	require.NoError(t, err)
	log, err := ledger.Open(ctx, filepath.Join(forged, evidence), evidence, thief, foreign, func(context.Context, []byte) error { return nil })
	require.NoError(t, err)
	_, err = log.Append(ctx, ledger.EvidenceEntries("esg-01", "rollcall", read, nil, dies))
	require.NoError(t, err)
	require.NoError(t, log.Close(ctx))
	for at, says := range map[string]string{
		older:  "it was cut off or is an older copy",
		forged: "it is not signed with the key that is known of it",
	} {
		bad, err := served.Listen(at, "127.0.0.1:0", "")
		require.NoError(t, err)
		_, port, _ := strings.Cut(strings.TrimPrefix(bad.Access.URL, "https://"), ":")
		bad.Access.URL = "https://127.0.0.1:" + port
		both := []ownmount.LedgerOffer{
			{URL: bad.Access.URL, Token: bad.Access.Token, Certificate: bad.Access.Certificate},
			{URL: server.Access.URL, Token: server.Access.Token, Certificate: server.Access.Certificate},
		}
		both[1].URL = "https://127.0.0.1:" + serves
		for n, offers := range [][]ownmount.LedgerOffer{both, both[:1]} {
			var heard written
			a := &app{Streams: Streams{In: strings.NewReader(""), Out: &heard, Err: &heard}, file: file, stateDir: state}
			require.NoError(t, a.withVault(ctx, func(s *session) error {
				is, err := s.pinned(ctx, evidence)
				require.NoError(t, err)
				_, found, why := s.fetchPinned(ctx, offers, evidence, is)
				require.Equal(t, n == 0, found, at)
				if n == 1 {
					require.ErrorContains(t, why, says)
				}
				return nil
			}))
			require.Contains(t, heard.String(), "WARNING: what "+bad.Access.URL+" gives as the ledger of esg-01-evidence is not believed")
			require.Contains(t, heard.String(), says)
		}
		require.NoError(t, bad.Close())
		found, err := ledger.Verify(ctx, filepath.Join(copied, evidence), "", nil)
		require.NoError(t, err)
		require.True(t, found.OK(), found.Problems)
	}

	// The last screen of run has it as report does, and so has the page that is
	// written then.
	ends := func(ledgers string) (string, string, string) {
		var screen, said written
		a := &app{Streams: Streams{In: strings.NewReader(""), Out: &screen, Err: &said}, file: file, stateDir: state}
		folder := ""
		require.NoError(t, a.withVault(ctx, func(s *session) error {
			s.cfg.LedgerDir, folder = ledgers, filepath.Join(ledgers, campaign)
			if missing(folder) {
				folder = s.fetched(campaign)
			}
			return s.lastScreen(ctx, campaign, workflows.Result{Listed: 3, Dead: 3})
		}))
		written, err := os.ReadFile(folder + ".html")
		require.NoError(t, err)
		return strings.Join(strings.Fields(screen.String()), " "), string(written), said.String()
	}
	for _, at := range []string{filepath.Join(dir, "none"), ledgers} {
		screen, page, said := ends(at)
		require.Contains(t, screen, "tried-after-rotation, 6 times", at)
		require.Contains(t, page, "6 × tried after its death (probable)", at)
		require.NotContains(t, said, "WARNING")
	}

	// Somebody deleted what Vault had anchored of it: an older copy would look
	// the same.
	under := "rollcall/metadata/checkpoints/" + campaign
	anchors, err := v.Client().Logical().ListWithContext(ctx, under)
	require.NoError(t, err)
	for _, name := range anchors.Data["keys"].([]any) {
		_, err := v.Client().Logical().DeleteWithContext(ctx, under+"/"+name.(string))
		require.NoError(t, err)
	}
	out, said, code = run("report", campaign)
	require.Equal(t, exitError, code, out)
	require.Contains(t, said, "no checkpoint of it is in Vault: it was begun this moment, or somebody deleted them there")
	anchor()

	// Nor is one all, where who gives ledgers out has none and Vault has
	// anchored one: it is written elsewhere.
	require.NoError(t, os.Rename(filepath.Join(ledgers, evidence), filepath.Join(dir, evidence)))
	_, said, code = run("report", campaign)
	require.Equal(t, exitOK, code, said)
	require.Contains(t, said, "WARNING: the ledger of the device's evidence, esg-01-evidence, is elsewhere and could not be fetched, so what follows has what logs showed when it was fetched last: ")
	require.Contains(t, said, "of it are anchored in Vault, and nobody who gives ledgers out has it")
	require.NoError(t, os.Rename(filepath.Join(dir, evidence), filepath.Join(ledgers, evidence)))

	// An older campaign is not shown for the newest, which is written
	// elsewhere.
	const newest = "esg-01-20261124T120000Z"
	require.NoError(t, store.OpenCampaign(ctx, ownmount.CampaignRecord{Device: "esg-01", Campaign: newest}))
	signs, err := store.Signer(ctx, ledger.Origin(newest))
	require.NoError(t, err)
	checkpoint, err := note.Sign(&note.Note{Text: ledger.Origin(newest) + "\n7\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"}, signs)
	require.NoError(t, err)
	require.NoError(t, store.Anchor(ctx, newest, checkpoint, ownmount.LedgerPlace{Host: "far", Folder: "/ledger/" + newest}))
	out, said, code = run("report")
	require.Equal(t, exitError, code, out)
	require.Contains(t, strings.Join(strings.Fields(said), " "), "the ledger of campaign "+newest+" is not here, but on far, in /ledger/"+newest+", and 7 entries of it are anchored in Vault, and nobody who gives ledgers out has it")

	// The copy that was fetched is not all, once the worker is gone.
	require.NoError(t, os.RemoveAll(filepath.Join(ledgers, campaign+".html")))
	require.NoError(t, server.Close())
	out, said, code = run("report", "--ledger", filepath.Join(copied, campaign))
	require.Equal(t, exitOK, code, said)
	require.Contains(t, said, "WARNING: the ledger of the device's evidence, esg-01-evidence, is elsewhere and could not be fetched, so what follows has what logs showed when it was fetched last: https://127.0.0.1:"+serves)
	require.Contains(t, out, "tried-after-rotation, 6 times")
	require.NoError(t, os.RemoveAll(filepath.Join(copied, "esg-01-evidence")))
	out, said, code = run("report", "--ledger", filepath.Join(copied, campaign))
	require.Equal(t, exitOK, code, said)
	require.Contains(t, said, "so what logs show since is not shown: ")
	require.NotContains(t, out, "tried-after-rotation")

	// Nor does a watch of one that was aborted end as if all were dead.
	require.NoError(t, store.CloseAs(ctx, newest, true, ownmount.Ending{How: string(ledger.EndAborted), By: "anna"}))
	out, said, code = run("watch")
	require.Contains(t, out, "aborted by anna", said)
	require.Equal(t, exitExceptions, code, said)
}
