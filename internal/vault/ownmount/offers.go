package ownmount

import (
	"context"
	"slices"
	"strings"
	"time"

	"rollcall/internal/vault"
)

// OffersFolder says where ledgers can be read, and with what.
const OffersFolder = "served"

// LedgerOffer is how the ledgers of one ledger worker can be read. The token is
// for whoever may read this.
type LedgerOffer struct {
	URL, Token, Certificate string
}

// OfferLedgers tells operators how to read the ledgers of a worker, in place of
// what was told of the same URL before. version is for WithdrawLedgers.
func (s *Store) OfferLedgers(ctx context.Context, o LedgerOffer) (version int, err error) {
	const op = "say where the ledgers can be read"
	at := offerAt(o.URL)
	was, err := s.Get(ctx, op, s.mount, at, 0)
	if err != nil {
		return 0, err
	}
	return s.Put(ctx, op, s.mount, at, was.Version, map[string]any{"url": o.URL, "token": o.Token, "certificate": o.Certificate})
}

func offerAt(url string) string { return OffersFolder + "/" + encodeSegment(url) }

// WithdrawLedgers takes back what OfferLedgers wrote as that version. What
// another worker has written of the URL since stays.
func (s *Store) WithdrawLedgers(ctx context.Context, url string, version int) error {
	_, err := s.Put(ctx, "take back where the ledgers could be read", s.mount, offerAt(url), version, map[string]any{})
	if vault.IsCASMismatch(err) {
		return nil
	}
	return err
}

// LedgerOffers are those of all ledger workers that did not take theirs back,
// the latest first: also of ones that were killed.
func (s *Store) LedgerOffers(ctx context.Context) ([]LedgerOffer, error) {
	const op = "look where ledgers can be read"
	names, err := s.Names(ctx, op, s.mount, OffersFolder)
	if err != nil {
		return nil, err
	}
	type dated struct {
		LedgerOffer
		written time.Time
	}
	var all []dated
	for _, name := range names {
		e, err := s.Get(ctx, op, s.mount, OffersFolder+"/"+strings.TrimSuffix(name, "/"), 0)
		if err != nil {
			return nil, err
		}
		text := func(key string) string { v, _ := e.Data[key].(string); return v }
		if o := (LedgerOffer{text("url"), text("token"), text("certificate")}); o.URL != "" {
			all = append(all, dated{o, e.Written})
		}
	}
	slices.SortStableFunc(all, func(a, b dated) int { return b.written.Compare(a.written) })
	out := make([]LedgerOffer, len(all))
	for i, o := range all {
		out[i] = o.LedgerOffer
	}
	return out, nil
}
