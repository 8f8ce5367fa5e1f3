package cli

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/vault/ownmount"
)

// What a watch finds is in the ledger of the device's evidence at once, signed
// and anchored by Vault. While Vault is sealed it is told all the same, and
// recorded afterwards; a second watch of the device waits for the first one's
// end; and nothing is there twice.
func TestWhatAWatchFindsIsInTheLedgerOfTheDevicesEvidence(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(v.Kill)
	t.Setenv("HOME", t.TempDir())
	v.UseIn(t, v.RootToken().Reveal())
	dir := t.TempDir()
	file, log, ledgers := filepath.Join(dir, "esg.yaml"), filepath.Join(dir, "slapd.log"), filepath.Join(dir, "ledger")
	plain := strings.Replace(besideFile, "  - {type: evidence, file: evidence-esg-01.json}\n", "", 1)
	require.NoError(t, os.WriteFile(file, []byte(plain), 0o600))
	require.NoError(t, os.WriteFile(log, nil, 0o600))
	const campaign = "esg-01-20261123T120000Z"
	run := func(args ...string) (stdout, stderr string, code int) {
		var out, said written
		code = Run(ctx, append(args, "-f", file), Streams{In: strings.NewReader(""), Out: &out, Err: &said})
		return out.String(), said.String(), code
	}
	_, said, code := run("init")
	require.Equal(t, exitOK, code, said)
	store, err := ownmount.Open(ctx, ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	defer store.Close()
	signer, err := store.Signer(ctx, ledger.Origin(campaign))
	require.NoError(t, err)
	public, err := store.VerifierKey(ctx, ledger.Origin(campaign))
	require.NoError(t, err)
	require.NoError(t, smallLedgerBy(filepath.Join(ledgers, campaign), signer, public))

	type watching struct {
		out, said written
		end       context.CancelFunc
		code      chan int
	}
	watch := func(state string) *watching {
		within, end := context.WithCancel(ctx)
		w := &watching{end: end, code: make(chan int, 1)}
		go func() {
			w.code <- Run(within, []string{"evidence", "watch", "-f", file, "--again", "1s", "--state", filepath.Join(dir, state)}, Streams{In: strings.NewReader(""), Out: &w.out, Err: &w.said})
		}()
		require.Eventually(t, func() bool {
			_, err := os.Stat(filepath.Join(dir, state, "watch.json"))
			return err == nil
		}, 5*time.Minute, time.Millisecond)
		return w
	}
	shows := func(w *watching, text string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(w.out.String(), text) }, 5*time.Minute, 10*time.Millisecond, "%s in %v %v", text, &w.out, &w.said)
	}
	add := func(text string) {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	evidence := filepath.Join(ledgers, "esg-01-evidence")
	state := func() *ledger.State {
		if r, err := ledger.OpenReader(evidence); err == nil {
			if s, err := r.State(ctx); err == nil {
				return s
			}
		}
		return ledger.NewState() // it is being made
	}
	has := func(addresses ...string) (sign credential.Sign) {
		t.Helper()
		require.Eventually(t, func() bool {
			for _, c := range state().Signed {
				for _, s := range c.Signs {
					if fmt.Sprint(s.Addresses) == fmt.Sprint(addresses) {
						sign = s.Sign
						return c.ID == "corp/1" && c.Name == "uid=svc-1,dc=example,dc=org"
					}
				}
			}
			return false
		}, 5*time.Minute, 10*time.Millisecond, "%v", addresses)
		return sign
	}

	w := watch("state")
	add(tries("203.0.113.9"))
	shows(w, "tried-after-rotation")
	sign := has("203.0.113.9")
	require.Equal(t, []any{"tried-after-rotation", credential.Probable, "new-place", 1, "slapd.log"}, []any{sign.Code, sign.Grade, sign.Rule, sign.Count, sign.At.Name})
	require.Equal(t, 1, strings.Count(w.out.String(), "tried-after-rotation"))

	// One device, one writer.
	other := watch("other")
	shows(other, "not-recorded: what is found cannot be written into the ledger: ledger esg-01-evidence: the ledger is in use: process ")
	add(tries("203.0.113.9"))
	shows(other, "tried-after-rotation")
	other.end()
	require.Equal(t, exitOK, <-other.code)

	require.NoError(t, v.Seal(ctx))
	add(tries("203.0.113.10"))
	shows(w, "was refused from 203.0.113.10")
	shows(w, "not-recorded: what is found cannot be written into the ledger")
	w.end()
	require.Equal(t, exitOK, <-w.code, &w.said)
	require.NoError(t, v.Unseal(ctx))
	w = watch("state")
	has("203.0.113.9", "203.0.113.10")
	w.end()
	require.Equal(t, exitOK, <-w.code, &w.said)
	before := state()
	require.Len(t, before.Readings, 1, "a restart goes on with its reading")
	require.Len(t, before.Signed[0].Signs, 1)
	require.Equal(t, []any{campaign, true, 1, "slapd.log", "openldap"}, []any{before.Readings[0].Roll, before.Readings[0].Follows, len(before.Readings[0].Logs), before.Readings[0].Logs[0].Name, before.Readings[0].Logs[0].Format})

	// The other one records what it found, as a reading of its own.
	other = watch("other")
	require.Eventually(t, func() bool {
		s := state()
		return len(s.Readings) == 2 && len(s.Signed[0].Signs) == 2
	}, 5*time.Minute, 10*time.Millisecond)
	other.end()
	require.Equal(t, exitOK, <-other.code)

	key, said, code := run("ledger", "key", "esg-01-evidence")
	require.Equal(t, exitOK, code, said)
	anchors, said, code := run("ledger", "anchor", "esg-01-evidence")
	require.Equal(t, exitOK, code, said)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key"), []byte(key), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "anchor"), []byte(anchors), 0o600))
	out, said, code := run("ledger", "verify", "--ledger", evidence, "--key", filepath.Join(dir, "key"), "--anchor", filepath.Join(dir, "anchor"))
	require.Equal(t, exitOK, code, out+said)
	require.Contains(t, out, "VERIFIED: what logs show of device esg-01, ")
	require.Contains(t, out, "against the roll of "+campaign+": 1 log, 1 sign of 1 credential")
	require.NotContains(t, out, "has not ended")
	out, said, code = run("report", "esg-01-evidence")
	require.Equal(t, exitOK, code, said)
	require.Contains(t, strings.Join(strings.Fields(out), " "), "uid=svc-1,dc=example,dc=org: probable, tried-after-rotation, 3 times, 2026-11-24 10:00:00Z from 203.0.113.9, 203.0.113.10 (slapd.log:")
	out, _, _ = run("report", campaign)
	require.Contains(t, strings.Join(strings.Fields(out), " "), "tried-after-rotation, 3 times")
	require.Contains(t, strings.Join(strings.Fields(out), " "), "in ledger esg-01-evidence")
	// A reading that comes when the campaign is over is in the same ledger.
	result, said, code := run("evidence", "--campaign", campaign, "--device", "192.0.2.10", "--usual", "198.51.100.0/24", "-o", "json", "corp/ldap1="+log)
	require.Equal(t, exitExceptions, code, said)
	json := filepath.Join(dir, "evidence.json")
	require.NoError(t, os.WriteFile(json, []byte(result), 0o600))
	for range 2 {
		out, said, code = run("evidence", "record", json)
		require.Equal(t, exitOK, code, said)
		require.Contains(t, out, "is in ledger esg-01-evidence: 1 log, 1 sign of 1 credential, 0 findings about nobody on the roll of "+campaign)
	}
	out, said, code = run("ledger", "verify", "--ledger", evidence, "--key", filepath.Join(dir, "key"), "--anchor", filepath.Join(dir, "anchor"))
	require.Equal(t, exitOK, code, out+said)
	require.Contains(t, out, "of the file with sha256 "+fmt.Sprintf("%x", sha256.Sum256([]byte(result)))+": 1 log, 1 sign of 1 credential")
	require.Len(t, state().Readings, 3)
	out, _, _ = run("report", campaign)
	require.Contains(t, out, fmt.Sprintf("%x", sha256.Sum256([]byte(result))))
	for says, text := range map[string]string{
		"listed afresh":              strings.Replace(result, `"campaign": "`+campaign+`",`, "", 1),
		"is of device esg-02":        strings.Replace(result, `"device": "esg-01"`, `"device": "esg-02"`, 1),
		"holds no ledger of":         strings.Replace(result, `"campaign": "`+campaign, `"campaign": "esg-01-20261124T120000Z`, 1),
		"a campaign that is none of": strings.Replace(result, `"campaign": "`+campaign, `"campaign": "../`+campaign, 1),
		"evidence.json:1: ":          "x",
	} {
		require.NoError(t, os.WriteFile(json, []byte(text), 0o600))
		_, said, code = run("evidence", "record", json)
		require.Equal(t, exitError, code)
		require.Contains(t, said, says)
		require.Contains(t, said, "nothing was recorded")
	}

	// A watch that goes on lets go at times, and writes again.
	beside := &evidenceLedger{dir: ledgers, device: "esg-01", secrets: &lateSecrets{settings: ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"}}, held: 2 * time.Second}
	follows := credential.LogsRead{ID: "watch-3", Of: credential.LogReading{ReadAt: time.Now().UTC(), Roll: campaign, Follows: true}}
	require.NoError(t, beside.record(ctx, follows, nil))
	require.NoError(t, os.WriteFile(json, []byte(result), 0o600))
	_, said, code = run("evidence", "record", json)
	require.Equal(t, exitOK, code, said)
	follows.Logs = []credential.ReadLog{{Number: 1, Name: "a.log", Format: "openldap"}}
	require.NoError(t, beside.record(ctx, follows, nil))
	beside.close()
	require.Len(t, state().Readings, 4)

	// One beside a campaign that is signed with another key is not its own.
	forged := t.TempDir()
	require.NoError(t, smallLedger(filepath.Join(forged, campaign)))
	require.NoError(t, os.CopyFS(filepath.Join(forged, "esg-01-evidence"), os.DirFS(evidence)))
	out, said, code = run("report", "--ledger", filepath.Join(forged, campaign))
	require.Equal(t, exitOK, code, said)
	require.Contains(t, said, "it is signed with another key than the campaign's ledger")
	require.NotContains(t, out, "tried-after-rotation")

	for _, args := range [][]string{{"evidence"}, {"evidence", "watch"}} {
		_, said, code = run(append(args, "--campaign", "esg-01-evidence", "--device", "192.0.2.10", "corp/ldap1="+log)...)
		require.Equal(t, exitError, code)
		require.Contains(t, said, "has no roll")
	}

	out, said, code = run("ledger", "cat", "esg-01-evidence")
	require.Equal(t, exitOK, code, said)
	require.NotContains(t, out, dir, "no folder of the operator's")
}
