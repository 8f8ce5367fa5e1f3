package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"rollcall/internal/ledger"
	"rollcall/internal/ledger/served"
	"rollcall/internal/plural"
	"rollcall/internal/vault/ownmount"
)

// serving says where ledgers are given to operators elsewhere.
type serving struct{ address, public string }

func (s *serving) asFlag(c *cobra.Command, with string) {
	c.Flags().StringVar(&s.public, "serve-as", "", with+"URL under which they reach it (default https://, this machine's name and the port)")
}

// given are the ledgers of a folder, given out to operators elsewhere.
type given struct {
	*served.Server
	withdraw func() error
}

// withdrawTimeout bounds what the end of a command waits for Vault.
const withdrawTimeout = 5 * time.Second

// end ends it, and takes back from Vault what readers needed: each offer of one
// that is gone costs each of them a try. What of that fails stays for whoever
// reads.
func (g *given) end() {
	_ = g.Close()
	_ = g.withdraw()
}

// serveLedgers gives out what is in a folder of ledgers, and leaves in Vault
// what a reader needs. The caller says so, and ends it.
func (a *app) serveLedgers(ctx context.Context, store *ownmount.Store, dir string, s serving) (at string, out *given, err error) {
	if u, err := url.Parse(s.public); s.public != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil) {
		return "", nil, errors.New("--serve-as must be a URL like https://ledger.example.org:8443")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	server, err := served.Listen(dir, s.address, s.public)
	if err != nil {
		return "", nil, err
	}
	read := server.Access
	version, err := store.OfferLedgers(ctx, ownmount.LedgerOffer{URL: read.URL, Token: read.Token, Certificate: read.Certificate})
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("what operators need to read the ledgers was not left in Vault: %w; run `rollcall init` again if its policies are older than that", err), server.Close())
	}
	return read.URL, &given{server, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
		defer cancel()
		return store.WithdrawLedgers(ctx, read.URL, version)
	}}, nil
}

// sayFailed says in the background that ledgers are given out no more, beside
// what goes on.
func (a *app) sayFailed(g *given) {
	go func() {
		if err := <-g.Failed(); err != nil {
			a.say("WARNING: %v; what runs here goes on", err)
		}
	}()
}

// fetched is where this machine keeps copies of ledgers that are elsewhere.
func (a *app) fetched(campaign string) string { return filepath.Join(a.stateDir, "fetched", campaign) }

func (a *app) isFetched(folder string) bool {
	return filepath.Clean(filepath.Dir(folder)) == filepath.Clean(a.fetched(""))
}

// mirrorTimeout bounds one fetch.
const mirrorTimeout = 5 * time.Minute

// fetch brings the copy of a campaign's ledger up to date from whoever gives it
// out, and gives its folder. What they give has to be signed with the key that
// Vault has, to be whole, and to begin with what is anchored in Vault; else the
// next one is asked, and the copy stays as it was. found is false where nobody
// gives it out; why then says what was tried.
func (s *session) fetch(ctx context.Context, campaign string) (folder string, found bool, why error) {
	ctx, cancel := context.WithTimeout(ctx, mirrorTimeout)
	defer cancel()
	offers, err := s.store.LedgerOffers(ctx)
	if err != nil || len(offers) == 0 {
		return "", false, err
	}
	is, err := s.pinned(ctx, campaign)
	if err != nil {
		return "", false, err
	}
	folder, found, why = s.fetchPinned(ctx, offers, campaign, is)
	if !found && is.Size() > 0 && onlyNotThere(why) {
		why = fmt.Errorf("%s of it are anchored in Vault, and nobody who gives ledgers out has it", plural.Count(is.Size(), "entry", "entries"))
	}
	if found && campaign == ledger.EvidenceOf(s.cfg.Device) {
		s.fetchParts(ctx, offers, folder)
	}
	return folder, found, why
}

// pinned is what Vault knows of a ledger. It is read before the ledger is: that
// grows meanwhile.
func (s *session) pinned(ctx context.Context, campaign string) (ledger.Pinned, error) {
	key, err := s.store.VerifierKey(ctx, ledger.Origin(campaign))
	if err != nil {
		return ledger.Pinned{}, err
	}
	anchored, err := s.store.Anchored(ctx, campaign)
	if err != nil {
		return ledger.Pinned{}, err
	}
	return ledger.Pin(key, anchored)
}

func (s *session) fetchPinned(ctx context.Context, offers []ownmount.LedgerOffer, campaign string, is ledger.Pinned) (folder string, found bool, why error) {
	folder = s.fetched(campaign)
	for i, o := range offers {
		within, cancel := inTurn(ctx, len(offers)-i)
		_, held := s.held.Load(folder)
		anew, err := served.Mirror(within, served.Access{URL: o.URL, Token: o.Token, Certificate: o.Certificate}, campaign, is, folder, held)
		cancel()
		if err == nil {
			s.held.Store(folder, true)
			if anew {
				s.say("note: the copy of %s on this machine, %s, was damaged or changed, and was fetched anew", campaign, folder)
			}
			return folder, true, nil
		}
		if errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ledger.ErrWrongLedger) || errors.Is(err, served.ErrUnpinned) {
			if _, said := s.distrusted.LoadOrStore(o.URL+" "+campaign, true); !said {
				s.say("WARNING: what %s gives as the ledger of %s is not believed, and others are asked: %v", o.URL, campaign, err)
			}
		}
		why = errors.Join(why, fmt.Errorf("%s, where ledgers were given out: %w", o.URL, served.Plainly(err)))
	}
	return "", false, why
}

// inTurn is the share of the time that is left which one of so many has: who
// answers slowly hides nobody behind him.
func inTurn(ctx context.Context, of int) (context.Context, context.CancelFunc) {
	end, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(of))
}

// onlyNotThere reports whether each ledger worker that was asked answered that
// it has no such ledger.
func onlyNotThere(why error) bool {
	if several, ok := why.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(several.Unwrap(), func(err error) bool { return !onlyNotThere(err) })
	}
	return errors.Is(why, served.ErrNotThere)
}

// fetchLatest is fetch of the named campaign, or of the newest of the device
// that a worker serves and that did any work; empty where there is none. Who
// has no login to Vault has none.
func (a *app) fetchLatest(ctx context.Context, args []string) (folder string) {
	_ = a.withVault(ctx, func(s *session) error {
		names := args
		if len(names) == 0 {
			all, err := s.store.Campaigns(ctx, s.cfg.Device)
			if err != nil {
				return err
			}
			for _, r := range all {
				names = append(names, r.Campaign)
			}
		}
		for _, name := range names {
			at, found, why := s.fetch(ctx, name)
			switch {
			case !found && why == nil:
				return nil // nobody serves any
			case !found && !onlyNotThere(why):
				if folder != "" {
					s.say("note: a newer one could not be read: %v", why)
				}
				return nil // else who asks says it
			case !found:
				continue
			case folder == "":
				folder = at
			}
			if early, err := ledger.EndedEarly(ctx, at); early == nil && err == nil {
				folder = at
				return nil
			}
		}
		return nil
	})
	return folder
}
