package activities

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// closedLogins remembers which logins to Vault were seen to be retired, by
// campaign and credential, and when. What it does not know is read from the
// staging entry, and so is, now and then, what it knows: another process may
// have seen since that a value of a stranger is in force.
type closedLogins struct{ seen sync.Map }

// closedTTL is how long a login that was seen to be closed is taken to be so.
const closedTTL = 5 * time.Second

func (c *closedLogins) add(campaign, id string) {
	c.seen.Store([2]string{campaign, id}, time.Now().Round(0))
}

func (c *closedLogins) drop(campaign, id string) { c.seen.Delete([2]string{campaign, id}) }

// has reports whether a login was seen to be closed, and whether just now.
func (c *closedLogins) has(campaign, id string) (ever, lately bool) {
	at, ok := c.seen.Load([2]string{campaign, id})
	return ok, ok && time.Since(at.(time.Time)).Abs() < closedTTL
}

// reach is what the open logins of the roll could read of one batch.
type reach struct {
	r       *Rotation
	batch   wire.Batch
	mount   string
	readers map[string][]credential.Credential // by API path in Vault: who could read what is written there, or write there
	rises   map[string]string                  // by credential: the path by which a login may give itself other rights
	unknown []credential.Credential            // logins that could not be asked
	seen    map[string]bool                    // by authority: an account may read what the others there are set to
	shut    []credential.Credential            // logins that were closed and so not asked; one of them may be open again by now
	stays   map[string]kind.Outlasts           // by credential: what no rotation ends
}

// reachOf asks each login of the roll that is still open what it could read of
// the places of cs: one call for all places, besides the login itself. Own
// logins of Rollcall read all of them by their nature, and are not among the
// logins of a batch (docs/threat-model.md). begun: the staging place was asked
// about before, so that a login need not be asked about itself alone, unless
// what it minted outlives it.
func (r *Rotation) reachOf(ctx context.Context, b wire.Batch, cs []credential.Credential, begun bool) (*reach, error) {
	if len(b.Logins) == 0 && len(b.Readers) == 0 {
		return nil, nil
	}
	spec, err := r.listedSpec(ctx, b.Campaign)
	if err != nil {
		return nil, err
	}
	out := &reach{r: r, batch: b, mount: spec.Vault.Mount, readers: map[string][]credential.Credential{}, rises: map[string]string{}, stays: map[string]kind.Outlasts{}}
	var paths []string
	for _, c := range cs {
		if c.Kind.OnlyEnds() {
			continue // nothing new of it lies anywhere
		}
		paths = append(paths, out.places(c)...)
		paths = append(paths, makes(c)...)
	}
	logins, err := r.listedAt(ctx, b, b.Logins)
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	if !begun {
		if out.seen, err = r.seenBy(ctx, spec, b, cs, logins); err != nil {
			return nil, err
		}
	}
	logins = slices.DeleteFunc(logins, func(l credential.Credential) bool { return !l.ReachesVault() })
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
			readable, stays, shut, err := r.reads(gctx, b, login, paths, alone)
			mu.Lock()
			defer mu.Unlock()
			out.stays[login.ID] = stays
			if err != nil {
				out.unknown = append(out.unknown, login)
			}
			if shut {
				out.shut = append(out.shut, login)
			}
			for _, p := range readable {
				switch of, listed := remade[p]; {
				case asked[p]:
				case listed && of != login.ID: // that one waits for this one (Before)
					continue
				default:
					out.rises[login.ID] = p
				}
			}
			if out.rises[login.ID] != "" {
				readable = paths
			}
			for _, p := range readable {
				if asked[p] {
					out.readers[p] = append(out.readers[p], login)
				}
			}
			return nil
		})
	}
	return out, g.Wait()
}

// reads asks one login, and what of it no rotation ends. Nothing is asked of
// one that is closed already; of one that is alone only if its tokens outlast
// it.
func (r *Rotation) reads(ctx context.Context, b wire.Batch, login credential.Credential, paths []string, alone bool) (readable []string, stays kind.Outlasts, shut bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stays = kind.Outlasts{Tokens: login.Batch, Login: rotation.ProblemStop(login) != nil}
	closed, values, err := r.loginValues(ctx, b, login)
	if err != nil || closed {
		return nil, stays, closed, err
	}
	spec, err := r.listedSpec(ctx, b.Campaign)
	if err != nil {
		return nil, stays, false, err
	}
	authority, err := r.Kinds.Authority(spec, login.Authority, login.Kind)
	if err != nil {
		return nil, stays, false, err
	}
	if o, ok := kind.As[kind.Outlasting](authority); ok {
		now, err := o.Outlasts(ctx, login)
		if err != nil {
			return nil, stays, false, err
		}
		stays.Tokens, stays.Login = stays.Tokens || now.Tokens, stays.Login || now.Login
	}
	asks, ok := kind.As[kind.Login](authority)
	if !ok || alone && !stays.Tokens {
		return nil, stays, false, nil
	}
	readable, err = asks.Reads(ctx, login, values, paths)
	return readable, stays, false, err
}

// loginValues are what may log in with a login now, and whether it is closed.
func (r *Rotation) loginValues(ctx context.Context, b wire.Batch, login credential.Credential) (closed bool, values []credential.Secret, err error) {
	ever, lately := r.logins.has(b.Campaign, login.ID)
	if lately {
		return true, nil, nil
	}
	staged, found, err := r.Store.ReadStaged(ctx, login.ID)
	if err != nil {
		return false, nil, err
	}
	if !found && ever {
		return true, nil, nil // it was proved dead since, and cleaned
	}
	if found && staged.Campaign == b.Campaign {
		if !staged.Closed {
			r.logins.drop(b.Campaign, login.ID)
		} else {
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
	out := []string{ownmount.StagingAPIPath(o.mount, c.ID)}
	for _, p := range c.Paths {
		out = append(out, p.Mount+"/data/"+p.Path)
	}
	if c.Spare != nil {
		out = append(out, c.Spare.Mount+"/data/"+c.Spare.Path)
	}
	return out
}

// makes are the paths at which whoever may write gives himself the login c:
// another secret-id or password of it, or a role that asks for none. What a
// directory has, nobody sets by Vault.
func makes(c credential.Credential) []string {
	i, login := strings.LastIndex(c.Subject, "/"), c.Kind.Traits().Login
	if login == nil || i < 1 {
		return nil
	}
	var out []string
	for _, part := range login.Makes {
		out = append(out, login.Path(c.Subject[:i], c.Subject[i+1:])+part)
	}
	return out
}

// Closed is rotation.Reach's.
func (o *reach) Closed(id string) { o.r.logins.add(o.batch.Campaign, id) }

// Opened is rotation.Reach's.
func (o *reach) Opened(id string) { o.r.logins.drop(o.batch.Campaign, id) }

// beforeStaging says why nothing may be staged for c, or nil. A login waits for
// no other one that will be closed, and goes on where it was begun.
func (o *reach) beforeStaging(ctx context.Context, c credential.Credential) *protocol.Stop {
	switch {
	case c.Kind.OnlyEnds():
		return nil // nothing new of it lies anywhere
	case o.seen[c.Authority] && !o.begun(ctx, c):
		return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: seenDetail}
	case !c.ReachesVault():
		return o.Within(ctx, c)
	case o.begun(ctx, c):
		return nil
	}
	return o.Before(ctx, c)
}

// begun reports whether a value of the campaign is staged for c, so that it may
// be set already.
func (o *reach) begun(ctx context.Context, c credential.Credential) bool {
	staged, found, err := o.r.Store.ReadStaged(ctx, c.ID)
	return err == nil && found && staged.Campaign == o.batch.Campaign
}

// Before is rotation.Reach's. A login that waits for nothing but others that
// will be closed is let through: two that read each other's places are both
// retired first.
func (o *reach) Before(ctx context.Context, c credential.Credential) *protocol.Stop {
	for _, at := range makes(c) {
		for _, login := range o.readers[at] {
			if login.ID != c.ID && o.open(ctx, login, c) {
				return notBegunFor("another login to Vault of the roll is not dead yet, and may make this one anew (" + o.how(login, "it may write to its role or user, or make its secret-ids or passwords") + "): whoever stole that one would have this one again")
			}
		}
	}
	for i, place := range o.places(c) {
		for _, login := range o.readers[place] {
			self, stays := login.ID == c.ID, o.stays[login.ID]
			switch {
			case i == 0 && (self || o.open(ctx, login, c)):
				return notBegunFor("a login to Vault of the roll that is not dead yet, perhaps this one, could read what Rollcall stages" + o.because(login) + ": take that right from it first")
			case i > 0 && self && stays.Tokens:
				return notBegunFor("it gives batch tokens, or did so when it was listed: those that somebody has live until they expire, whatever becomes of its secret-ids, and could read where its new one goes" + o.because(login) + ". Wait for them to expire (token_max_ttl) with service tokens set on the role or its mount, and run again")
			case i > 0 && !self && (stays.Tokens || stays.Login) && o.open(ctx, login, c):
				return notBegunFor("another login to Vault of the roll could read where its new value goes" + o.because(login) + ", and no rotation closes that one: it gives batch tokens, lets in without its secret, or cannot be rotated as it is listed")
			}
		}
	}
	// Where it cannot be asked itself, what is the matter with it shows when it
	// is looked at; and it waits for no other one that cannot be asked but will
	// be closed. For one that never is it waits before Set all the same:
	// retired, its new value would not be written, and its consumer would have
	// no login.
	own := slices.ContainsFunc(o.unknown, func(l credential.Credential) bool { return l.ID == c.ID })
	for _, login := range append(slices.Clone(o.unknown), o.shut...) {
		stays := o.stays[login.ID]
		if login.ID != c.ID && (!own || stays.Login || stays.Tokens) && o.open(ctx, login, c) {
			return notBegunFor("another login to Vault of the roll is not dead yet, and what it could read cannot be found out (its own reason says what is the matter with it)")
		}
	}
	return nil
}

// Within is rotation.Reach's. What a login could read was asked at the
// beginning of the batch; whether it is closed is asked now.
func (o *reach) Within(ctx context.Context, c credential.Credential) *protocol.Stop {
	for i, place := range o.places(c) {
		for _, login := range o.readers[place] {
			if o.open(ctx, login, c) {
				what := "where its new value goes" + o.because(login)
				if i == 0 {
					what = "what Rollcall stages" + o.because(login) + ": take that right from it first"
				}
				return within("a login to Vault of the roll that is not dead yet, or batch tokens or orphans of one, could read " + what)
			}
		}
	}
	for _, login := range append(slices.Clone(o.unknown), o.shut...) {
		if o.open(ctx, login, c) {
			return within("a login to Vault of the roll is not dead yet, and what it could read cannot be found out (its own reason says what is the matter with it)")
		}
	}
	return nil
}

// open reports whether somebody who had a login may still read with it. c is
// retired by now; of itself nothing is left but what outlasts that.
func (o *reach) open(ctx context.Context, login, c credential.Credential) bool {
	if login.ID == c.ID {
		return o.stays[login.ID].Tokens
	}
	closed, _, err := o.r.loginValues(ctx, o.batch, login)
	return err != nil || !closed
}

// because says by what right a login reads, in brackets, where that is not the
// plain one. It names no policy and no account.
func (o *reach) because(login credential.Credential) string {
	if how := o.how(login, ""); how != "" {
		return " (" + how + ")"
	}
	return ""
}

func (o *reach) how(login credential.Credential, plain string) string {
	by := o.rises[login.ID]
	in := func(prefix string) bool { return strings.HasPrefix(by, prefix) }
	switch {
	case by == "":
		return plain
	case in("sys/polic"):
		return "it may write a policy, and so give itself any right"
	case in("sys/audit"):
		return "it may write audit devices (sys/audit/), to which Vault shows each value as it is written"
	case in("sys/remount"), in("sys/mounts"):
		return "it may write or move mounts (sys/mounts/, sys/remount), and so have a secret where it may read"
	case in("sys/storage"), in("sys/raw"):
		return "it may read or write Vault's storage (sys/storage/, sys/raw/)"
	case in("identity/"):
		return "it may write entities or groups (identity/), and so give itself any policy"
	case in("auth/token/"):
		return "it may make tokens with other policies than its own (auth/token/)"
	case in("sys/"):
		return "it may write below sys/, and so make itself a login with any policy"
	}
	return "it may write to roles, users or the configuration of an auth mount, their secret-ids and passwords among them, and so give itself any policy or be another login"
}

func notBegunFor(why string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: why + "; nothing was changed: its old value is good until that is settled, or a person accepts the login by name (rollcall accept-open)"}
}

func within(why string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: why + "; the new value is not written there before that login is dead, or a person accepts it by name (rollcall accept-open)"}
}

// applicable are the credentials that Apply is asked for.
func applicable(page []credential.Credential, items []wire.ApplyItem) []credential.Credential {
	var out []credential.Credential
	for _, it := range items {
		out = append(out, page[it.Index])
	}
	return out
}
