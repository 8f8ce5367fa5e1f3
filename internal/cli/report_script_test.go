package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// ledgerCommands make the ledger of a small campaign, and tamper with one.
var ledgerCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"mkledger": func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(smallLedger(ts.MkAbs(args[0]))) },
	"tamper": func(ts *testscript.TestScript, _ bool, args []string) {
		files, err := filepath.Glob(ts.MkAbs(args[0]) + "/tile/entries/*.p/*")
		ts.Check(err)
		newest := files[0]
		for _, f := range files {
			if a, b := info(ts, f), info(ts, newest); a.Size() > b.Size() {
				newest = f
			}
		}
		text, err := os.ReadFile(newest)
		ts.Check(err)
		ts.Check(os.WriteFile(newest, bytes.Replace(text, []byte("its disk burnt"), []byte("its disk froze"), 1), 0o644))
	},
}

func info(ts *testscript.TestScript, name string) os.FileInfo {
	i, err := os.Stat(name)
	ts.Check(err)
	return i
}

// smallLedger is a campaign over two servers, one of which a person left out:
// one credential is dead on both, one on the other, and one has no account.
func smallLedger(dir string) error {
	const campaign = "esg-01-20261123T120000Z"
	secret, public, err := note.GenerateKey(rand.Reader, ledger.Origin(campaign))
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	return smallLedgerBy(dir, signer, public)
}

// smallLedgerBy is smallLedger with a key.
func smallLedgerBy(dir string, signer note.Signer, public string) error {
	const campaign = "esg-01-20261123T120000Z"
	ctx := context.Background()
	log, err := ledger.Open(ctx, dir, campaign, signer, public, func(context.Context, []byte) error { return nil })
	if err != nil {
		return err
	}
	near, far := "ldaps://ldap1.example.org", "ldaps://ldap2.example.org"
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var entries []ledger.Entry
	add := func(after time.Duration, pass string, e ledger.Entry) {
		e.ID, e.Campaign, e.At = ledger.EntryID(campaign, e.Credential, pass, e.Event), campaign, noon.Add(after)
		entries = append(entries, e)
	}
	evidence := func(servers ...string) (out []protocol.Evidence) {
		for _, s := range servers {
			out = append(out, protocol.Evidence{Server: s, At: noon.Format(time.RFC3339), Old: protocol.Refused, New: protocol.Accepted, Changed: "1"})
		}
		return out
	}
	add(0, "", ledger.Entry{Event: ledger.CampaignStarted, Device: "esg-01", Actor: "anna@bastion", Servers: map[string][]string{"corp": {near, far}}, Spec: &ledger.Specification{SHA256: "aa", FileSHA256: "bb"}})
	for _, id := range []string{"corp/1", "corp/2", "corp/3"} {
		name := "uid=svc-" + id[5:] + ",dc=example,dc=org"
		if id == "corp/3" {
			name = "=cmd|' /C calc'!A0"
		}
		add(time.Second, "", ledger.Entry{Event: ledger.Listed, Credential: id, Name: name, Kind: credential.LDAPPassword, Authority: "corp"})
	}
	add(time.Second, "", ledger.Entry{Event: ledger.RollClosed, Counts: &ledger.Counts{Listed: 3}})
	dead := func(id string, left []string, asked ...string) {
		add(2*time.Second, "1", ledger.Entry{Event: ledger.EventIntent, Credential: id, Attempt: 1})
		add(3*time.Second, "1", ledger.Entry{Event: ledger.EventOutcome, Credential: id, Attempt: 1, Proof: protocol.ProofBind, SetAt: noon, LeftOut: left, Evidence: evidence(asked...)})
	}
	dead("corp/1", nil, near, far)
	add(3*time.Second, "1", ledger.Entry{Event: ledger.ServerLeftOut, Authority: "corp", Server: far, Actor: "bob@bastion", Detail: "its disk burnt"})
	dead("corp/2", []string{far}, near)
	add(4*time.Second, "", ledger.Entry{Event: ledger.Exception, Credential: "corp/3", Step: protocol.Precheck, Reason: protocol.ReasonNoAccount, Detail: "trying again cannot help"})
	add(5*time.Second, "1", ledger.Entry{Event: ledger.CampaignClosed, Counts: &ledger.Counts{Listed: 3, Dead: 2, Open: 1}})
	if _, err := log.Append(ctx, entries); err != nil {
		return err
	}
	return log.Close(ctx)
}
