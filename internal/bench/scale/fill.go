package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/record"
	"rollcall/internal/wire"
)

const (
	campaign  = "esg-01-20261129T000000Z"
	directory = "corp"
	smallest  = 10

	pageSize  = 500 // credentials of a page of the roll
	batchSize = 50  // credentials that are announced together, and proved together

	// One in so many could not be proved dead, or has a finding.
	openEvery, findingEvery = 100, 100
)

var servers = []string{"ldaps://ldap1.example.org", "ldaps://ldap2.example.org"}

// fillLedger writes the ledger of a campaign of n accounts of one directory
// with two servers: the roll page by page, and for each batch its intents and
// its results, an append each, as the ledger's activities do.
func fillLedger(ctx context.Context, folder string, n int) (err error) {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	secret, public, err := note.GenerateKey(rand.Reader, ledger.Origin(campaign))
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	log, err := ledger.Open(ctx, folder, campaign, signer, public, func(context.Context, []byte) error { return nil })
	if err != nil {
		return err
	}
	defer func() {
		if closing := log.Close(context.WithoutCancel(ctx)); err == nil {
			err = closing
		}
	}()
	w := writer{ctx: ctx, log: log, at: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)}
	w.roll(n)
	dead := w.waves(n)
	w.append(record.AnchoredAt(campaign, "rollcall/checkpoints/"+campaign, w.at), ledger.Entry{
		ID: ledger.EntryID(campaign, "", "9", ledger.CampaignClosed), At: w.at, Campaign: campaign, Event: ledger.CampaignClosed,
		Counts: &ledger.Counts{Listed: n, Dead: dead, Open: n - dead},
	})
	return w.err
}

type writer struct {
	ctx context.Context
	log *ledger.Log
	at  time.Time // moves on
	err error
}

func (w *writer) append(entries ...ledger.Entry) {
	if w.err == nil {
		_, w.err = w.log.Append(w.ctx, entries)
	}
}

func (w *writer) roll(n int) {
	in := wire.Roll{Campaign: campaign, Device: "esg-01", Actor: "operator@bastion", Listed: n, Exposure: "2026-11-01T00:00:00Z to 2026-11-28T21:30:00Z",
		Servers: map[string][]string{directory: servers}}
	contained := &credential.Containment{How: "off", At: w.at.Add(-time.Hour), By: "operator@bastion"}
	w.append(record.Started(in, credential.Incident{}, contained, nil, w.at)...)
	for from := 0; from < n; from += pageSize {
		page := accounts(from, min(pageSize, n-from))
		found := map[string][]credential.Finding{}
		for i, c := range page {
			if (from+i)%findingEvery == 7 {
				found[c.ID] = []credential.Finding{{Code: credential.FindingChangedBefore, Detail: "changed at 2026-11-12T03:14:15Z, within the exposure"}}
			}
		}
		w.at = w.at.Add(137 * time.Millisecond)
		w.append(record.Listed(campaign, page, found, w.at)...)
	}
	w.append(record.Closed(in, nil, w.at)...)
}

// waves announces and proves batch after batch, and tells how many are dead.
func (w *writer) waves(n int) (dead int) {
	for from := 0; from < n; from += batchSize {
		page := accounts(from, min(batchSize, n-from))
		batch := wire.Batch{Campaign: campaign, Authority: directory, Kind: credential.LDAPPassword, Span: credential.Span{Page: from / pageSize, From: 0, To: len(page)}}
		intents := wire.IntentInput{Batch: batch}
		results := wire.ResultInput{Batch: batch, Pass: 1}
		var given []wire.OpenItem
		for i := range page {
			prepared := wire.PreparedItem{Index: i}
			prepared.Attempt, prepared.From = 1, []int{1}
			intents.Items = append(intents.Items, prepared)
			set := w.at.Add(time.Duration(i) * 7 * time.Millisecond)
			if (from+i)%openEvery == 5 {
				given = append(given, wire.OpenItem{Index: i, Step: protocol.Prove, Reason: protocol.ReasonLocked, Server: servers[1]})
				continue
			}
			dead++
			it := wire.AppliedItem{Index: i}
			it.Attempt, it.Step, it.Proof, it.SetAt, it.From, it.To = 1, protocol.Outcome, protocol.ProofBind, set, []int{1}, []int{2}
			it.Written = []time.Time{set.Add(41 * time.Millisecond).Add(123456)}
			for k, server := range servers {
				it.Evidence = append(it.Evidence, protocol.Evidence{Server: server, At: set.Add(time.Duration(90+20*k) * time.Millisecond).Format("2006-01-02T15:04:05.000Z"),
					Old: protocol.Refused, New: protocol.Accepted, Changed: set.Format("20060102150405.000000Z")})
			}
			results.Applied = append(results.Applied, it)
		}
		w.append(record.Intents(intents, page, w.at)...)
		w.at = w.at.Add(613 * time.Millisecond)
		w.append(record.Results(results, page, w.at)...)
		if len(given) > 0 {
			w.append(record.Exceptions(wire.ExceptionInput{Batch: batch, Items: given, Why: "the campaign's deadline is over"}, page, w.at)...)
		}
	}
	return dead
}

// accounts are n of the roll, from the one with that number on.
func accounts(from, n int) (out []credential.Credential) {
	for i := from; i < from+n; i++ {
		subject := fmt.Sprintf("%08x-3f1c-103e-8d7a-%012x", i*2654435761%(1<<32), i)
		out = append(out, credential.Credential{
			ID: directory + "/" + subject, Kind: credential.LDAPPassword, Authority: directory, Subject: subject,
			Name:    fmt.Sprintf("uid=svc-%06d,ou=services,dc=example,dc=org", i),
			Paths:   []credential.Path{{Mount: "kv", Path: fmt.Sprintf("apps/esg-01/svc-%06d", i), Field: "password"}},
			Reasons: []credential.Reason{{Source: "accounts", Type: "manifest", Detail: fmt.Sprintf("esg-01.csv:%d", i+2)}},
		})
	}
	return out
}
