package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

const (
	askedOfEach  = 200         // places of the roll that Vault is asked about for one set of policies
	toldOfEach   = 5           // tokens that a warning names
	toldAlone    = 40          // tokens that name the device, and have a warning each; the rest wait together
	givenFor     = time.Minute // what entities give new tokens is as old at most, before a batch
	entitiesEach = 500         // entities that are asked about where it depends on who has a policy
)

// liveToken is a token that no login of the roll made.
type liveToken struct {
	minted.Token
	accessor string
	device   string // by what it names the device; empty: it does not
	byPolicy bool   // only by the name of a policy
	stolen   bool   // device is another one, whose roll has it, or who made it, open
	accepted string // the place of the login that made it, which a person accepted
	exposed  bool   // made while the device was exposed
}

// sameRights are such tokens with the same policies.
type sameRights struct {
	policies []string
	tokens   []liveToken
	by       []string // the policies by which they read
	paths    []string // some that they may read
	rises    string   // by which path they may come to more
	more     bool     // what they could read waits without a name
}

// tokensThatRead warns of tokens that no login of the roll made and that may
// read new values. It is for a listing after which something is set: the look
// at all tokens takes the worker's rights. ends has the logins that the
// campaign ends.
func (r *readers) tokensThatRead(ctx context.Context, roll, ends *credential.Roll) error {
	l := r.l
	if l.tokens == nil {
		return nil
	}
	groups, err := r.otherTokens(ctx, ends)
	roll.NewestToken = r.newest
	for _, g := range groups {
		for _, t := range g.tokens {
			if !t.stolen && t.accepted == "" {
				l.noteNamed(unlistedLogin{byAccessor + t.accessor, g.policies, t.device, t.byPolicy})
			}
		}
	}
	if err == nil {
		err = r.ask(ctx, groups)
	}
	var stop *protocol.Stop
	if errors.As(err, &stop) && stop.Reason == protocol.ReasonRights {
		l.notShown("auth/token/accessors", "this login may not look at the tokens of Vault (auth/token/accessors, auth/token/lookup-accessor, sys/capabilities-accessor): whether one lives that no login of the roll made, such as one in the device's own configuration, and that reads what is written, is not known")
		return nil
	}
	if err != nil {
		return err
	}
	reading := map[string]*sameRights{} // by the policies by which they read
	waits := r.waits
	alone := 0
	byLogin := map[string]int{} // tokens of logins that are accepted, by place
	for _, g := range groups {
		if len(g.paths) == 0 && g.rises == "" {
			continue
		}
		_, accepted := l.policiesAccepted(g.by)
		for _, t := range g.tokens {
			if reason, ok := l.acceptedPlace(byAccessor + t.accessor); ok {
				l.warn(credential.FindingAccepted, "a token of Vault (%s%s) may read new values, which the campaign file accepts: %s", byAccessor, t.accessor, reason)
				continue
			}
			if t.accepted != "" {
				byLogin[t.accepted]++
				continue
			}
			if t.device != "" && (!t.byPolicy || !accepted) {
				if alone++; alone <= toldAlone {
					if err := r.deviceToken(ctx, g, t, waits); err != nil {
						return err
					}
					continue
				}
				if err := r.unnamed(ctx, g, waits); err != nil {
					return err
				}
			}
			key := strings.Join(g.by, "\x00")
			if reading[key] == nil {
				reading[key] = &sameRights{by: g.by, paths: g.paths, rises: g.rises}
			}
			reading[key].tokens = append(reading[key].tokens, t)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(reading)) {
		r.tellAlike(reading[key])
	}
	for _, place := range slices.Sorted(maps.Keys(byLogin)) {
		reason, _ := l.acceptedPlace(place)
		l.warn(credential.FindingAccepted, "%s %s made may read new values, which the campaign file accepts with that login: %s", plural.Count(byLogin[place], "token of Vault that logins by", "tokens of Vault that logins by"), place, reason)
	}
	return nil
}

// otherTokens are all that no login of the roll made and that are not
// Rollcall's own, by their policies.
func (r *readers) otherTokens(ctx context.Context, roll *credential.Roll) ([]*sameRights, error) {
	all, err := r.l.tokens.All(ctx)
	if err != nil {
		return nil, err
	}
	self, err := r.l.tokens.Self(ctx)
	if err != nil {
		return nil, err
	}
	ordinary, err := r.l.ordinary(ctx)
	if err != nil {
		return nil, err
	}
	mine, listed := loginsOfRoll(roll), tokensOfRoll(roll)
	entities := map[string]bool{}
	for _, t := range all {
		if t.Entity != "" && mine.minted(t) {
			entities[t.Entity] = true
		}
	}
	accepted, err := r.acceptedLogins(ctx, all)
	if err != nil {
		return nil, err
	}
	if r.since > 0 {
		maps.DeleteFunc(all, func(_ string, t minted.Token) bool { return t.Made < r.since })
		if err := r.l.tokens.Renew(ctx, all, time.Now().Add(-givenFor)); err != nil {
			return nil, err
		}
	}
	groups := map[string]*sameRights{}
	for accessor, t := range all {
		r.newest = max(r.newest, t.Made)
		live := r.l.seen(accessor, t)
		if accessor == self || listed[accessor] || ours(t) || mine.minted(t) || t.Child() && entities[t.Entity] || live.owners() {
			continue
		}
		if err := r.l.stolenChild(ctx, &live); err != nil {
			return nil, err
		}
		live.accepted = accepted.of(live)
		policies := slices.Compact(slices.Sorted(slices.Values(slices.Concat(t.Policies, t.IdentityPolicies))))
		if ordinary {
			policies = slices.DeleteFunc(policies, func(p string) bool { return p == "default" })
		}
		key := strings.Join(policies, "\x00")
		if groups[key] == nil {
			groups[key] = &sameRights{policies: policies}
		}
		groups[key].tokens = append(groups[key].tokens, live)
	}
	var out []*sameRights
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		slices.SortFunc(g.tokens, func(a, b liveToken) int {
			return cmp.Or(-cmp.Compare(a.weight(), b.weight()), cmp.Compare(a.Made, b.Made), cmp.Compare(a.accessor, b.accessor))
		})
		out = append(out, g)
	}
	return out, r.dropChildren(ctx, roll, out)
}

// owners: a root token that came with Vault, or that its owners made with their
// key shares. Whoever has one owns Vault (docs/threat-model.md).
func (t liveToken) owners() bool {
	return t.Path == "auth/token/root" && t.weight() == 0
}

// weight is more for what is rather the device's.
func (t liveToken) weight() (n int) {
	if t.device != "" {
		n += 2
	}
	if t.exposed {
		n++
	}
	return n
}

func (l *lister) seen(accessor string, t minted.Token) liveToken {
	out := liveToken{Token: t, accessor: accessor, exposed: exposed(l.c.Exposure, time.Unix(t.Made, 0))}
	if by := l.elsewhereOpen.made(accessor, t); by != "" {
		out.device, out.stolen = by, true
		return out
	}
	names := append([]string{l.c.Device}, l.c.Formerly...)
	if namesAny(t.Name, names) {
		out.device = "its display name"
		return out
	}
	for _, key := range slices.Sorted(maps.Keys(t.Meta)) {
		if namesAny(t.Meta[key], names) {
			out.device = "its metadata"
			return out
		}
	}
	for _, p := range slices.Concat(t.Policies, t.IdentityPolicies) {
		if namesAny(p, names) {
			out.device, out.byPolicy = "the name of its policy "+p, true
		}
	}
	return out
}

// namesAny reports whether one of names stands in a text, in any case, and not
// as a part of a longer name.
func namesAny(text string, names []string) bool {
	part := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	text = strings.ToLower(text)
	for _, name := range names {
		name = strings.ToLower(name)
		for i := 0; name != ""; {
			at := strings.Index(text[i:], name)
			if at < 0 {
				break
			}
			at += i
			end := at + len(name)
			if (at == 0 || !part(text[at-1])) && (end == len(text) || !part(text[end])) {
				return true
			}
			i = at + 1
		}
	}
	return false
}

// ask finds out which of the groups read, and drops what those that do not
// have. Vault is asked once for each set of policies, or, where it depends on
// who has them, for each entity.
func (r *readers) ask(ctx context.Context, groups []*sameRights) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	for _, a := range groups {
		g.Go(func() error {
			by, all, err := r.by(gctx, a.policies)
			if err != nil || len(by) == 0 {
				return err
			}
			a.by = by
			asked, reads := map[string]bool{}, map[string]bool{} // by entity
			for _, t := range a.tokens {
				entity := ""
				if all.open || len(t.IdentityPolicies) > 0 {
					entity = t.Entity
				}
				if asked[entity] {
					continue
				}
				if len(asked) == entitiesEach {
					a.paths = all.paths // nobody asks about the rest
					reads = nil
					break
				}
				within, rises, err := r.l.tokens.Within(gctx, t.accessor, t.Token, all.paths, askedOfEach)
				if err != nil {
					return err
				}
				if len(within) > 0 || rises != "" {
					reads[entity], a.paths, a.rises = true, within, rises
				} else if lives, err := r.l.tokens.Living(gctx, []string{t.accessor}); err != nil {
					return err
				} else if len(lives) == 0 {
					continue // it has ended since, so the next one is asked
				}
				asked[entity] = true
			}
			if reads != nil {
				a.tokens = slices.DeleteFunc(a.tokens, func(t liveToken) bool { return !reads[t.Entity] && !reads[""] })
			}
			return nil
		})
	}
	return g.Wait()
}

// deviceToken warns of a token that names the device. What it may read waits
// until it is gone.
func (r *readers) deviceToken(ctx context.Context, g *sameRights, t liveToken, waits map[string][]string) error {
	got, err := r.reaches(ctx, g, t)
	if err != nil || len(got.paths) == 0 {
		return err
	}
	paths, rises := got.paths, got.rises
	whose := map[string]bool{}
	for _, p := range paths {
		for _, at := range r.of(p) {
			id := at.id
			if !whose[id] && !(r.found[id] && t.foundNow()) {
				whose[id] = true
				waits[id] = append(waits[id], t.accessor)
			}
		}
	}
	also := ""
	if t.byPolicy {
		also = ", or for all that have its policies: " + acceptPolicies(g.by)
	}
	if t.foundNow() {
		r.l.warn(credential.FindingReader, "a token of Vault is of %s; it may read the new %s (%s): %s. They wait until it is gone: revoke it (vault token revoke -accessor %s), or take its login up (rollcall relist --reason …), which the running campaign then ends before them; or, if nobody stole it: %s",
			t.device, newValues(len(whose)), r.what(paths, rises), t.told(), t.accessor, paste.Entry("accept", "vault", byAccessor+t.accessor))
		return nil
	}
	if t.stolen {
		r.l.warn(credential.FindingReader, "a token of Vault that no login of this roll made is of %s; it may read the new %s (%s): %s. They wait until it is gone: have that campaign end it, or revoke it (vault token revoke -accessor %s); or, if nobody else has it: %s",
			t.device, newValues(len(whose)), r.what(paths, rises), t.told(), t.accessor, paste.Entry("accept", "vault", byAccessor+t.accessor))
		return nil
	}
	r.l.warn(credential.FindingReader, "a token of Vault that no login of the roll made names the device by %s, and may read the new %s (%s): %s. They wait until it is gone: revoke it (vault token revoke -accessor %s), which revokes too what was made with it, and give its consumer another one afterwards; or have a campaign do that before all else (a source of type vault-tokens with its accessor); or, if it is not the device's: %s%s",
		t.device, newValues(len(whose)), r.what(paths, rises), t.told(), t.accessor, paste.Entry("accept", "vault", byAccessor+t.accessor), also)
	return nil
}

// foundNow: a login that was listed while the campaign runs made it. It ends
// with that login, which does not wait for it.
func (t liveToken) foundNow() bool { return t.stolen && strings.HasPrefix(t.device, listedNow) }

// reaches asks what a token may read, once for each set of policies, and for
// each entity where it depends on that. Nothing: it has ended.
func (r *readers) reaches(ctx context.Context, g *sameRights, t liveToken) (reach, error) {
	_, all, err := r.by(ctx, g.policies)
	if err != nil {
		return reach{}, err
	}
	key := strings.Join(g.policies, "\x00")
	if all.open || len(t.IdentityPolicies) > 0 {
		key += "\x00\x00" + t.Entity
	}
	got, known := r.within[key]
	if !known {
		got.paths, got.rises, err = r.l.tokens.Within(ctx, t.accessor, t.Token, all.paths, 0)
		if err != nil {
			return reach{}, err
		}
		if got.rises != "" {
			got.paths = r.paths
		}
		if len(got.paths) == 0 {
			return reach{}, nil
		}
		r.within[key] = got
	}
	return got, nil
}

// unnamed holds up what tokens could read that name the device and are too many
// to be told, one by one: whoever stole one that may make others could hide it
// behind those. Nothing of it goes on before the next listing.
func (r *readers) unnamed(ctx context.Context, g *sameRights, waits map[string][]string) error {
	if g.more {
		return nil
	}
	g.more = true
	_, all, err := r.by(ctx, g.policies)
	if err != nil {
		return err
	}
	paths := all.paths
	if g.rises != "" {
		paths = r.paths
	}
	for _, p := range paths {
		for _, at := range r.of(p) {
			id := at.id
			if !slices.Contains(waits[id], credential.MoreReaders) {
				waits[id] = append(waits[id], credential.MoreReaders)
			}
		}
	}
	return nil
}

func (r *readers) tellAlike(a *sameRights) {
	if reason, ok := r.l.policiesAccepted(a.by); ok {
		r.l.warn(credential.FindingAccepted, "%s read new values (%s) by %s, which the campaign file accepts: %s", plural.Count(len(a.tokens), "token of Vault that no login of the roll made may", "tokens of Vault that no login of the roll made may"), r.what(a.paths, a.rises), strings.Join(a.by, ", "), reason)
		return
	}
	slices.SortStableFunc(a.tokens, func(x, y liveToken) int { return -cmp.Compare(x.weight(), y.weight()) })
	n, named, first := 0, "", "tokens of Vault"
	for _, t := range a.tokens {
		if t.exposed {
			n++
		}
	}
	if n > 0 {
		first = "made while the device was exposed, " + fmt.Sprintf("%d of these: tokens of Vault", n)
	}
	for i, t := range a.tokens[:min(toldOfEach, len(a.tokens))] {
		named += []string{"", "; "}[min(i, 1)] + t.told()
	}
	if more := len(a.tokens) - toldOfEach; more > 0 {
		named += fmt.Sprintf("; and %d more", more)
	}
	r.l.warn(credential.FindingReader, "%s with the policies %s that no login of the roll made may read new values (%s): %s. If the device had one, whoever stole it reads each of them: find out whose each is, revoke what nobody claims (vault token revoke -accessor …), and say so: %s; or name one: %s%s",
		first, strings.Join(a.by, ", "), r.what(a.paths, a.rises), named, acceptPolicies(a.by), paste.Row("vault", byAccessor+"ACCESSOR"), r.l.outdatedPolicies(a.by))
}

// told is a token as people look it up.
func (t liveToken) told() string {
	var about []string
	for _, key := range slices.Sorted(maps.Keys(t.Meta)) {
		about = append(about, key+"="+t.Meta[key])
	}
	meta := ""
	if len(about) > 0 {
		meta = fmt.Sprintf(", metadata %q", about)
	}
	return fmt.Sprintf("accessor %s, display name %q, policies %s, made %s at %s%s", t.accessor, t.Name,
		strings.Join(slices.Concat(t.Policies, t.IdentityPolicies), " "), time.Unix(t.Made, 0).UTC().Format(time.RFC3339), t.Path, meta)
}

// what words some places that are read.
func (r *readers) what(paths []string, rises string) string {
	if rises != "" {
		return "it may come to any right by " + rises
	}
	text := strings.Replace(paths[0], "/data/", "/", 1)
	if len(paths) > 1 {
		text += fmt.Sprintf(" and %s", plural.Count(len(paths)-1, "more place", "more places"))
	}
	return text
}
