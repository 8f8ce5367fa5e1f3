package activities

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// closedLogins remembers which logins to Vault were seen to be retired, by campaign and
// credential. What it does not know is read from the staging entry.
type closedLogins struct{ seen sync.Map }

func (c *closedLogins) add(campaign, id string) { c.seen.Store([2]string{campaign, id}, true) }

func (c *closedLogins) has(campaign, id string) bool {
	_, ok := c.seen.Load([2]string{campaign, id})
	return ok
}

// reach is what the open logins of the roll could read of one batch.
type reach struct {
	r       *Rotation
	batch   Batch
	mount   string
	readers map[string][]credential.Credential // by API path in Vault
	unknown []credential.Credential            // logins that could not be asked
}

// reachOf asks each login of the roll that is still open what it could read of the places of
// cs: one call for all places, besides the login itself. Own logins of Rollcall read all of them
// by their nature, and are not among the logins of a batch (docs/threat-model.md).
func (r *Rotation) reachOf(ctx context.Context, b Batch, cs []credential.Credential) (*reach, error) {
	if len(b.Logins) == 0 {
		return nil, nil
	}
	spec, err := r.listedSpec(ctx, b.Campaign)
	if err != nil {
		return nil, err
	}
	out := &reach{r: r, batch: b, mount: spec.Vault.Mount, readers: map[string][]credential.Credential{}}
	var paths []string
	for _, c := range cs {
		paths = append(paths, out.places(c)...)
	}
	var logins []credential.Credential
	for _, ref := range b.Logins {
		page, err := r.Store.ReadPage(ctx, b.Campaign, b.Snapshot, ref.Page)
		if err != nil {
			return nil, classify(errVault, err)
		}
		if ref.Index >= len(page) {
			return nil, classify(errSpec, fmt.Errorf("campaign %s: page %d of the roll has no credential %d", b.Campaign, ref.Page, ref.Index))
		}
		login := page[ref.Index]
		if len(cs) == 1 && cs[0].ID == login.ID {
			continue // it is alone
		}
		logins = append(logins, login)
	}
	if len(logins) == 0 || len(paths) == 0 {
		return nil, nil
	}
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, login := range logins {
		g.Go(func() error {
			readable, err := r.reads(gctx, b, login, paths)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.unknown = append(out.unknown, login)
			}
			for _, p := range readable {
				out.readers[p] = append(out.readers[p], login)
			}
			return nil
		})
	}
	return out, g.Wait()
}

// reads asks one login. Nothing is asked of one that is closed already.
func (r *Rotation) reads(ctx context.Context, b Batch, login credential.Credential, paths []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	closed, values, err := r.loginValues(ctx, b, login)
	if err != nil || closed {
		return nil, err
	}
	spec, err := r.listedSpec(ctx, b.Campaign)
	if err != nil {
		return nil, err
	}
	authority, err := r.Kinds.Authority(spec, login.Authority, login.Kind)
	if err != nil {
		return nil, err
	}
	asks, ok := authority.(kind.Login)
	if !ok {
		return nil, nil
	}
	return asks.Reads(ctx, login, values, paths)
}

// loginValues are what may log in with a login now, and whether it is closed.
func (r *Rotation) loginValues(ctx context.Context, b Batch, login credential.Credential) (closed bool, values []credential.Secret, err error) {
	if r.logins.has(b.Campaign, login.ID) {
		return true, nil, nil
	}
	staged, found, err := r.Store.ReadStaged(ctx, login.ID)
	if err != nil {
		return false, nil, err
	}
	if found && staged.Campaign == b.Campaign {
		if staged.Closed {
			r.logins.add(b.Campaign, login.ID)
			return true, nil, nil
		}
		for _, v := range staged.Old {
			values = append(values, v)
		}
		values = append(values, staged.Secret)
	}
	for _, p := range login.Paths {
		if live, err := r.Store.ReadLive(ctx, p, 0); err == nil && live.Found {
			values = append(values, live.Value)
		}
	}
	return false, values, nil
}

// places are where the new value of c can be read in Vault: staged, and live.
func (o *reach) places(c credential.Credential) []string {
	out := []string{vault.StagingAPIPath(o.mount, c.ID)}
	for _, p := range c.Paths {
		out = append(out, p.Mount+"/data/"+p.Path)
	}
	if c.Spare != nil {
		out = append(out, c.Spare.Mount+"/data/"+c.Spare.Path)
	}
	return out
}

// Closed is rotation.Reach's.
func (o *reach) Closed(id string) { o.r.logins.add(o.batch.Campaign, id) }

// Within is rotation.Reach's. What a login could read was asked at the beginning of the batch;
// whether it is closed is asked now.
func (o *reach) Within(ctx context.Context, c credential.Credential) *protocol.Stop {
	for i, place := range o.places(c) {
		for _, login := range o.readers[place] {
			if o.open(ctx, login, c) {
				what := "where its new value goes"
				if i == 0 {
					what = "what Rollcall stages: take that right from it first"
				}
				return within("a login to Vault of the roll that is not dead yet, or batch tokens or orphans of one, could read " + what)
			}
		}
	}
	for _, login := range o.unknown {
		if o.open(ctx, login, c) {
			return within("a login to Vault of the roll is not dead yet, and what it could read cannot be found out (its own reason says what is the matter with it)")
		}
	}
	return nil
}

func (o *reach) open(ctx context.Context, login, c credential.Credential) bool {
	if login.ID == c.ID {
		return false
	}
	closed, _, err := o.r.loginValues(ctx, o.batch, login)
	return err != nil || !closed
}

func within(why string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: why + "; the new value is not written there before that login is dead, or a person accepts it by name (rollcall accept-open)"}
}

// outsideVault are those that are no logins to Vault, which wait for nothing before they are set.
func outsideVault(cs []credential.Credential) []credential.Credential {
	return slices.DeleteFunc(cs, credential.Credential.ReachesVault)
}

// applicable are the credentials that Apply is asked for.
func applicable(page []credential.Credential, items []ApplyItem) []credential.Credential {
	var out []credential.Credential
	for _, it := range items {
		out = append(out, page[it.Index])
	}
	return out
}
