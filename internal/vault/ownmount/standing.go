package ownmount

import (
	"context"
	"time"

	"rollcall/internal/credential"
)

// Fate is what became of a credential in one campaign, as far as Vault has it.
type Fate struct {
	credential.Credential
	At     credential.Ref
	DeadAt time.Time // when its proof was noted, by Vault's clock; zero if it was not
	// Aside: its new value lay where no consumer reads it; Some: it was proved
	// without a server or door that a person had left out. Then the next
	// campaign has it as open.
	Aside, Some bool
}

// Standing is how far a campaign is, as far as Vault has it.
type Standing struct {
	Listed, Excluded int
	Dead             int  // as the record counts them, whether or not they are done with
	OnSome           int  // of Dead: proved without a server or door that a person had left out
	Noted            bool // outcomes are noted there: earlier versions did not, and Dead is 0 then
}

// StandingOf counts the roll of a campaign. found is false before it is listed.
func (s *Store) StandingOf(ctx context.Context, campaign string) (st Standing, found bool, err error) {
	idx, found, err := s.readIndex(ctx, campaign)
	if err != nil || !found {
		return Standing{}, false, err
	}
	st = Standing{Listed: idx.Listed, Excluded: idx.Excluded, Noted: idx.Outcomes}
	if idx.Outcomes {
		noted, err := s.outcomes(ctx, campaign, idx.Snapshot)
		if err != nil {
			return Standing{}, false, err
		}
		all := map[credential.Ref]bool{}
		for _, sort := range []string{deadNotes, asideNotes, someNotes, serverNotes} {
			for r := range noted[sort] {
				all[r] = true
			}
		}
		st.Dead = len(all)
		for _, sort := range []string{deadNotes, asideNotes} {
			for r := range noted[sort] {
				delete(all, r)
			}
		}
		st.OnSome = len(all)
	}
	return st, true, nil
}

// Fates gives the credentials of a campaign's roll with what became of each, a
// page of the roll at a time. Nothing is given before it is listed.
func (s *Store) Fates(ctx context.Context, campaign string, take func(Fate)) error {
	idx, found, err := s.readIndex(ctx, campaign)
	if err != nil || !found {
		return err
	}
	var noted map[string]map[credential.Ref]time.Time
	if idx.Outcomes {
		if noted, err = s.outcomes(ctx, campaign, idx.Snapshot); err != nil {
			return err
		}
	}
	for n := range idx.Pages {
		page, err := s.ReadPage(ctx, campaign, idx.Snapshot, n)
		if err != nil {
			return err
		}
		for i, c := range page {
			if !idx.Counts(n, i) {
				continue
			}
			at := credential.Ref{Page: n, Index: i}
			f := Fate{Credential: c, At: at, DeadAt: noted[deadNotes][at]}
			for sort, is := range map[string]*bool{asideNotes: &f.Aside, someNotes: &f.Some, serverNotes: &f.Some} {
				if when, so := noted[sort][at]; so && f.DeadAt.IsZero() {
					f.DeadAt, *is = when, true
				}
			}
			take(f)
		}
	}
	return nil
}
