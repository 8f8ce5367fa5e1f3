package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// A login or token that names the device and is on no roll may have been the
// device's as well, and once it is revoked or accepted nobody asks what whoever
// stole it made with it. So that is told with what the roll's own may have
// made.

// unlistedLogin is a login or token that names the device, and is on no roll.
type unlistedLogin struct {
	place    string
	policies []string
	device   string // by what it names it
	byPolicy bool   // by the name of a policy alone
}

// noteNamed keeps a login or token that names the device by itself. What is
// open on another device's roll is told there.
func (l *lister) noteNamed(n unlistedLogin) {
	if n.device == "" {
		return
	}
	if _, ok := l.acceptedPlace(n.place); ok {
		return
	}
	if n.byPolicy {
		names := append([]string{l.c.Device}, l.c.Formerly...)
		of := slices.DeleteFunc(slices.Clone(n.policies), func(p string) bool { return !namesAny(p, names) })
		if _, ok := l.policiesAccepted(of); ok {
			return
		}
	}
	l.notOnRoll = append(l.notOnRoll, n)
}

// ofDevice says by what a login names the device, as far as it is known without
// a look at its secret-ids.
func (l *lister) ofDevice(o otherLogin) (by string, byPolicy bool) {
	names := append([]string{l.c.Device}, l.c.Formerly...)
	if namesAny(o.mount+"/"+o.name, names) {
		return "its name", false
	}
	for _, p := range o.policies {
		if namesAny(p, names) {
			return "the name of its policy " + p, true
		}
	}
	return "", false
}

// noteBound keeps a login that is the device's by no more than a secret-id, or
// an address that it is bound to. That is looked at where its policies let it
// make something: of many roles, few do.
func (r *readers) noteBound(ctx context.Context, o otherLogin, makes func(ctx context.Context, policies []string) (bool, error)) error {
	if is, err := makes(ctx, o.policies); err != nil || !is {
		return err
	}
	if _, accepted := r.l.acceptedPlace(o.place); accepted {
		return nil
	}
	if _, err := r.namesDevice(ctx, &o); err != nil || o.stolen {
		return err // what is open on another device's roll is told there
	}
	r.l.noteNamed(unlistedLogin{o.place, o.policies, o.device, o.byPolicy})
	return nil
}

// makers tells whether policies may make or change another way into Vault, or
// may not be read.
func (l *lister) makers() func(ctx context.Context, policies []string) (bool, error) {
	p := &preview{api: l.vault.API(), policies: map[string]*string{}}
	known := map[string]bool{}
	return func(ctx context.Context, policies []string) (bool, error) {
		key := strings.Join(policies, "\x00")
		is, ok := known[key]
		if !ok {
			found, _, unknown, err := p.powersOf(ctx, policies)
			if err != nil {
				return false, &naming{fmt.Errorf("what a login may have made: %w", err), "what a login may have made"}
			}
			is = len(found) > 0 || unknown != "" || slices.Contains(policies, "root")
			known[key] = is
		}
		return is, nil
	}
}

// namedCouldHaveMade adds what those may have made. Many have the same
// policies; those are looked at once.
func (l *lister) namedCouldHaveMade(ctx context.Context, p *preview, m madeBy) error {
	alike := map[string][]unlistedLogin{}
	var order []string
	for _, n := range l.notOnRoll {
		key := strings.Join(n.policies, "\x00")
		if alike[key] == nil {
			order = append(order, key)
		}
		alike[key] = append(alike[key], n)
	}
	slices.Sort(order)
	for _, key := range order {
		of := alike[key]
		slices.SortFunc(of, func(a, b unlistedLogin) int { return strings.Compare(a.place, b.place) })
		who := of[0].place + ", which no source lists and which names the device by " + of[0].device
		if slices.Contains(of[0].policies, "root") {
			if err := l.warnMade(ctx, of[0].place, fmt.Sprintf(anything, "it"+strings.TrimPrefix(who, of[0].place)+",")); err != nil {
				return err
			}
			continue
		}
		found, _, unknown, err := p.powersOf(ctx, of[0].policies)
		if err != nil {
			return &naming{fmt.Errorf("what %s may have made: %w", of[0].place, err), "what a login may have made"}
		}
		if unknown != "" {
			if err := l.warnMade(ctx, of[0].place, "what "+who+", "+notKnown+", for "+unknown); err != nil {
				return err
			}
		}
		for _, n := range of {
			m.add(found, n.place+", which no source lists and which names the device by "+n.device)
		}
	}
	return nil
}

// anything is what somebody with the policy root may have done.
const anything = "%s has the policy root: whoever stole it may have made or changed anything in Vault, and no list of what he made is whole. Look through Vault's audit log from the first day of the exposure on, at auth mounts, policies, entities, tokens and what they give, and take away what nobody claims"

// root reports whether a token of the roll is one, and says what that means.
func (l *lister) tellRoot(ctx context.Context, c credential.Credential, policies []string) (is bool, err error) {
	if !c.Kind.OnlyEnds() || !slices.Contains(policies, "root") {
		return false, nil
	}
	return true, l.warnMade(ctx, ownPlace(c), fmt.Sprintf(anything, c.Name))
}
