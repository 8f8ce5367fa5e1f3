package ownmount

import (
	"context"
	"strings"
)

// OffersFolder says where ledgers can be read, and with what.
const OffersFolder = "served"

// LedgerOffer is how the ledgers of one ledger worker can be read. The token is
// for whoever may read this.
type LedgerOffer struct {
	URL, Token, Certificate string
}

// OfferLedgers tells operators how to read the ledgers of a worker, in place of
// what was told of the same URL before.
func (s *Store) OfferLedgers(ctx context.Context, o LedgerOffer) error {
	const op = "say where the ledgers can be read"
	at := OffersFolder + "/" + encodeSegment(o.URL)
	was, err := s.Get(ctx, op, s.mount, at, 0)
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, op, s.mount, at, was.Version, map[string]any{"url": o.URL, "token": o.Token, "certificate": o.Certificate})
	return err
}

// LedgerOffers are those of all ledger workers, also of ones that are gone.
func (s *Store) LedgerOffers(ctx context.Context) (out []LedgerOffer, err error) {
	const op = "look where ledgers can be read"
	names, err := s.Names(ctx, op, s.mount, OffersFolder)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		e, err := s.Get(ctx, op, s.mount, OffersFolder+"/"+strings.TrimSuffix(name, "/"), 0)
		if err != nil {
			return nil, err
		}
		text := func(key string) string { v, _ := e.Data[key].(string); return v }
		if o := (LedgerOffer{text("url"), text("token"), text("certificate")}); o.URL != "" {
			out = append(out, o)
		}
	}
	return out, nil
}
