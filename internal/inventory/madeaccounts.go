package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault/powers"
)

// accountsCouldHaveMade adds what directory accounts of the roll may have made
// that log in at auth mounts of type ldap: by the policies that a mount, a
// group or their entity gives them. Many accounts get the same; those are
// looked at once.
func (l *lister) accountsCouldHaveMade(ctx context.Context, p *preview, roll *credential.Roll, m madeBy, also alsoReads) error {
	known := map[string][]powers.Power{} // by the policies
	reads := map[string][]string{}
	mounts := map[string]bool{} // at which accounts of the roll log in
	for _, c := range roll.Credentials {
		if c.Own || len(c.Logins) == 0 {
			continue
		}
		for _, login := range c.Logins {
			mounts[login.Mount] = true
		}
		policies := slices.Sorted(maps.Keys(l.gets[c.ID]))
		if len(policies) == 0 {
			continue // Vault's default one alone
		}
		key := strings.Join(policies, "\x00")
		if _, ok := known[key]; !ok {
			found, texts, unknown, err := p.powersOf(ctx, policies)
			if err != nil {
				return &naming{fmt.Errorf("what %s may have made: %w", c.Name, err), "what a login may have made"}
			}
			if unknown != "" {
				if err := l.warnMade(ctx, "auth/"+c.Logins[0].Mount, "what "+c.Name+" and whoever else of the roll gets the same policies there "+notKnown+", for "+unknown); err != nil {
					return err
				}
			}
			known[key], reads[key] = found, texts
		}
		also.add(reads[key], c.Name)
		m.add(known[key], c.Name)
	}
	for _, at := range l.mounts {
		if !mounts[at.name] {
			continue
		}
		if err := l.groupCouldHaveMade(ctx, p, at, m); err != nil {
			return err
		}
	}
	return nil
}

// groupCouldHaveMade warns of a mount of which it is not known who is in its
// groups, if one of those may have made something that nobody else of the roll
// may have.
func (l *lister) groupCouldHaveMade(ctx context.Context, p *preview, at *authMount, m madeBy) error {
	lists := slices.DeleteFunc(slices.Clone(at.hidden), func(h string) bool { return !at.isList(h) })
	if len(lists) > 0 {
		return l.warnMade(ctx, "auth/"+at.name, "what accounts of the roll that log in there "+notKnown+", for this login may not list "+strings.Join(lists, ", ")+": run rollcall init again")
	}
	if at.untold == "" {
		return nil
	}
	var policies []string
	for _, of := range at.groups {
		policies = append(policies, of...)
	}
	slices.Sort(policies)
	found, _, unknown, err := p.powersOf(ctx, slices.Compact(policies))
	if err != nil {
		return err
	}
	var can []string
	for _, f := range found {
		if place, _ := madeAt(f); f.Lasts() && m.remade[f.Path] == "" && m.at[place] == nil {
			can = append(can, f.Path)
		}
	}
	if unknown != "" {
		can = append(can, "what is not known, for "+unknown)
	}
	if len(can) > 0 {
		return l.warnMade(ctx, "auth/"+at.name, fmt.Sprintf("accounts of the roll log in there, and in which groups they are is not known (%s): by policies that groups get there somebody may make or change %s. If an account of the roll is or was in such a group, look at what there is at these places, and take away what nobody claims", at.untold, some(can)))
	}
	return nil
}

// powersOf reads policies by their names, and gives their texts too. unknown
// says what is not known of them; empty: all is.
func (p *preview) powersOf(ctx context.Context, policies []string) (found []powers.Power, texts []string, unknown string, err error) {
	var hidden []string
	for _, name := range append([]string{"default"}, policies...) {
		if name == "" {
			unknown = "this login may not read all that gives it policies (auth/+/users/+, auth/+/groups/+, identity/lookup/entity, identity/group/id/+): run rollcall init again"
			continue
		}
		text, err := p.policy(ctx, name)
		if err != nil {
			return nil, nil, "", err
		}
		if text == nil {
			hidden = append(hidden, name)
			continue
		}
		texts = append(texts, *text)
	}
	if len(hidden) > 0 {
		unknown = "this login may not read the text of the policies " + strings.Join(hidden, ", ") + " (read on sys/policies/acl/…): run rollcall init again"
	}
	found, err = powers.In(nil, texts...)
	if err != nil {
		return nil, nil, err.Error(), nil
	}
	return found, texts, unknown, nil
}
