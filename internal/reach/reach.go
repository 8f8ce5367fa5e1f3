// Package reach says which new values somebody could read who has what the
// device had: a login to Vault that is open, a token, an account that may read
// what the others of its authority are set to. What is within reach is not
// staged, or not written, until that is settled (docs/protocol.md, "What goes
// before what").
//
// [Logins.Of] asks about one batch; what it gives is rotation's Reach.
package reach

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/kind/registry"
	"rollcall/internal/vault/ownmount"
)

// Logins asks logins to Vault, and remembers which were seen to be retired, by
// campaign and credential, and when. What it does not know is read from the
// staging entry, and so is, now and then, what it knows: another process may
// have seen since that a value of somebody else's is in force. Safe for
// concurrent use.
type Logins struct {
	store *ownmount.Store
	kinds *registry.Registry
	seen  sync.Map
	found sync.Map // campaign -> *found
	noted sync.Map // login -> notedAt: who is about to be set
	quiet sync.Map // campaign, authority and open logins -> time.Time at which no token was new
	// LookAfter is how long a login that was seen to be closed is taken to be
	// so.
	LookAfter time.Duration
}

// New gives the logins of one worker process.
func New(store *ownmount.Store, kinds *registry.Registry) *Logins {
	return &Logins{store: store, kinds: kinds, LookAfter: 5 * time.Second}
}

func (l *Logins) add(campaign, id string) {
	l.seen.Store([2]string{campaign, id}, time.Now().Round(0))
}

func (l *Logins) drop(campaign, id string) { l.seen.Delete([2]string{campaign, id}) }

// has reports whether a login was seen to be closed, and whether just now.
func (l *Logins) has(campaign, id string) (ever, lately bool) {
	at, ok := l.seen.Load([2]string{campaign, id})
	return ok, ok && time.Since(at.(time.Time)).Abs() < l.LookAfter
}

// Batch is what credentials are asked about together, of one authority.
type Batch struct {
	Spec      *config.Campaign // with the servers of the listing
	Campaign  string
	Authority string
	Kind      credential.Kind
	Logins    []credential.Credential // those of the roll that are still open
	At        credential.Refs         // where on the roll each of Logins stands
	Readers   []credential.Credential // accounts that may read what others are set to
}

// Reach is what the open logins of the roll could read of one batch.
type Reach struct {
	of       *Logins
	spec     *config.Campaign
	campaign string
	readers  map[string][]credential.Credential // by API path in Vault: who could read what is written there, or write there
	rises    map[string]string                  // by credential: the path by which a login may give itself other rights
	unknown  []credential.Credential            // logins that could not be asked
	why      map[string]string                  // by credential: why not, where that is known and names nothing
	at       map[string]credential.Ref          // by credential: where on the roll a login stands
	seen     map[string]bool                    // by authority: an account may read what the others there are set to
	shut     []credential.Credential            // logins that were closed and so not asked; one of them may be open again by now
	stays    map[string]kind.Outlasts           // by credential: what no rotation ends
	logins   map[string]credential.Credential   // by credential: those of the batch
	wasOpen  sync.Map                           // by credential: when it was seen to be open
}

// Of asks each login of the roll that is still open what it could read of the
// places of cs: one call for all places, besides the login itself. Own logins
// of Rollcall read all of them by their nature, and are not among the logins of
// a batch (docs/threat-model.md). begun: the staging place was asked about
// before, so that a login need not be asked about itself alone, unless what it
// minted outlives it. It gives nil where nothing of cs lies anywhere.
func (l *Logins) Of(ctx context.Context, b Batch, cs []credential.Credential, begun bool) (*Reach, error) {
	out := &Reach{of: l, spec: b.Spec, campaign: b.Campaign, readers: map[string][]credential.Credential{}, rises: map[string]string{}, stays: map[string]kind.Outlasts{}, logins: map[string]credential.Credential{}, why: map[string]string{}, at: map[string]credential.Ref{}}
	for i, ref := range b.At {
		out.at[b.Logins[i].ID] = ref
	}
	var paths []string
	for _, c := range cs {
		if c.Kind.OnlyEnds() {
			continue // nothing new of it lies anywhere
		}
		paths = append(paths, out.places(c)...)
		paths = append(paths, makes(c)...)
	}
	if len(paths) == 0 {
		return nil, nil
	}
	if !begun {
		var err error
		if out.seen, err = l.seenBy(ctx, b, cs); err != nil {
			return nil, err
		}
	}
	toVault := slices.DeleteFunc(slices.Clone(b.Logins), func(l credential.Credential) bool { return !l.ReachesVault() })
	for _, login := range toVault {
		out.logins[login.ID] = login
	}
	return out, out.ask(ctx, toVault, cs, paths, begun)
}

// ask notes which of paths each login could read, and by what it rises.
func (o *Reach) ask(ctx context.Context, logins, cs []credential.Credential, paths []string, begun bool) error {
	asked, remade := map[string]bool{}, map[string]string{}
	for _, p := range paths {
		asked[p] = true
	}
	for _, c := range append(slices.Clone(cs), logins...) {
		for _, p := range makes(c) {
			remade[p] = c.ID
		}
	}
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, login := range logins {
		g.Go(func() error {
			alone := begun && len(cs) == 1 && cs[0].ID == login.ID
			readable, stays, shut, err := o.reads(gctx, login, paths, alone)
			mu.Lock()
			defer mu.Unlock()
			o.stays[login.ID] = stays
			if err != nil {
				o.unknown, o.why[login.ID] = append(o.unknown, login), whyNotAsked(err)
			}
			if shut {
				o.shut = append(o.shut, login)
			}
			for _, p := range readable {
				switch of, listed := remade[p]; {
				case asked[p]:
				case listed && of != login.ID: // that one waits for this one (Before)
					continue
				default:
					o.rises[login.ID] = p
				}
			}
			if o.rises[login.ID] != "" {
				readable = paths
			}
			for _, p := range readable {
				if asked[p] {
					o.readers[p] = append(o.readers[p], login)
				}
			}
			return nil
		})
	}
	return g.Wait()
}
