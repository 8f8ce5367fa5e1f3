package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/listing"
	notified "rollcall/internal/notify/settings"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// relistChange is what another listing says of one credential. Its JSON keys
// are stable.
type relistChange struct {
	ID         string `json:"id"`
	Credential string `json:"credential"`
	Authority  string `json:"authority,omitempty"`
	Does       string `json:"does"` // see the constants
	// Less and More are what it no longer has and what it has now, each with
	// what it is: "path kv/apps/esg-01/ldap#password".
	Less []string `json:"less,omitempty"`
	More []string `json:"more,omitempty"`
	Why  string   `json:"why,omitempty"` // it stays as it is
}

// What becomes of a credential that is listed again.
const (
	relistChanges  = "changes"
	relistAdds     = "adds"
	relistReplaces = "replaces" // it comes off the roll
	relistStays    = "stays"    // it is listed otherwise, and goes on as it was
	relistGone     = "gone"     // nothing names it, and it stays on the roll
)

// relistChanges compares a proposal with the roll, for people.
func (s *session) relistChanges(ctx context.Context, index ownmount.RollIndex, p ownmount.Proposal, seen wire.RelistSeen) (out []relistChange, err error) {
	was, byID := map[credential.Ref]credential.Credential{}, map[string]credential.Credential{}
	err = s.store.Current(ctx, index, func(at credential.Ref, c credential.Credential) { was[at], byID[c.ID] = c, c })
	if err != nil {
		return nil, err
	}
	for i, it := range p.Items {
		c := relistChange{ID: it.Now.ID, Credential: it.Now.Name, Authority: it.Now.Authority, Does: relistAdds, More: listedAs(it.Now)}
		if it.Old != nil {
			c.Does = relistChanges
			c.Less, c.More = apartFrom(listedAs(was[*it.Old]), listedAs(it.Now))
		} else if it.Now.ReachesVault() {
			c.Why = "it opens Vault, and goes first, at once: what it may read waits until it is dead"
		}
		if !slices.Contains(seen.Take, i) {
			if it.Old != nil && len(c.Less)+len(c.More) == 0 {
				continue // what differs is what the campaign did with it
			}
			c.Does, c.Why = relistStays, "it is dead, or a new value was announced for it: it ends as it began, and the next campaign lists it so"
			if it.Old != nil && slices.Contains(p.Read, *it.Old) {
				c.Why = "it is dead, or a new value was announced for it, which a login that is found may have read: it ends as it began, is open again when the campaign ends (perhaps-read), and the next one sets another value"
				c.More = slices.DeleteFunc(c.More, func(more string) bool { return strings.HasPrefix(more, waitsFor) })
			}
		}
		out = append(out, c)
	}
	excluded := map[string]credential.Exclusion{}
	for _, x := range p.Excluded {
		excluded[x.ID] = x
	}
	for _, ref := range p.Replaced {
		old := was[ref]
		c := relistChange{ID: old.ID, Credential: old.Name, Authority: old.Authority, Does: relistReplaces, Less: listedAs(old), Why: "what it stood for is the path of another one now"}
		x, byPerson := excluded[old.ID]
		switch seen := slices.Contains(seen.Replaced, ref); {
		case byPerson && seen:
			c.Why = "the campaign file excludes it: " + x.Reason
		case byPerson:
			c.Does, c.Less, c.Why = relistStays, nil, listing.ExcludedLate
		case !seen:
			c.Does, c.Why = relistStays, "it is not open any more"
		}
		out = append(out, c)
	}
	for _, x := range p.Excluded {
		old := byID[x.ID]
		if why := listing.ExcludedStays(old); why != "" {
			out = append(out, relistChange{ID: old.ID, Credential: old.Name, Authority: old.Authority, Does: relistStays, Why: "the campaign file excludes it, and it stays on the roll: " + why})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.Apart)) {
		name := id
		old, had := byID[id]
		if had {
			name = old.Name
		}
		out = append(out, relistChange{ID: id, Credential: name, Does: relistStays, Why: listing.ApartWords(p.Apart[id], had)})
	}
	for _, ref := range p.Gone {
		old := was[ref]
		out = append(out, relistChange{ID: old.ID, Credential: old.Name, Authority: old.Authority, Does: relistGone, Why: "nothing names it any more; it stays on the roll"})
	}
	return out, nil
}

// notTakenUp names what of the campaign file differs and no running campaign
// takes up, each part with what differs in it.
func notTakenUp(parts []string, begun, now *config.Campaign) (out []string) {
	for _, part := range parts {
		switch {
		case part == "doors":
			out = append(out, "doors ("+strings.Join(otherDoors(begun, now), "; ")+": what has a door is proved at those that the campaign began with)")
		case part == "used_by":
			if other := otherHooks(begun, now); len(other) > 0 {
				out = append(out, "used_by (reload of "+strings.Join(other, ", ")+": hooks are those that the campaign began with; leave reload out, and have these consumers read the new value by hand)")
			}
		case part == "open":
			if waitOf(begun) != waitOf(now) {
				out = append(out, "open (wait: a campaign stays for a person as long as it was begun with)")
			}
		case !slices.Contains(listing.AgainParts, part):
			out = append(out, part)
		}
	}
	return out
}

// otherDoors says which doors two files have otherwise, and in what.
func otherDoors(begun, now *config.Campaign) (out []string) {
	all := maps.Clone(begun.Doors)
	if all == nil {
		all = map[string]door.Settings{}
	}
	maps.Copy(all, now.Doors)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, had := begun.Doors[name]
		is, has := now.Doors[name]
		switch {
		case !had:
			out = append(out, name+" is new")
		case !has:
			out = append(out, name+" is gone")
		case !sameText(was.For, is.For):
			out = append(out, name+" has another for")
		case !sameText(was, is):
			out = append(out, name+" is another")
		}
	}
	return out
}

// otherHooks are the patterns of used_by of which the hook differs.
func otherHooks(begun, now *config.Campaign) (out []string) {
	hooks := func(c *config.Campaign) map[string][]notified.Target {
		all := map[string][]notified.Target{}
		for _, u := range c.UsedBy {
			if u.Reload != nil {
				all[u.Path] = append(all[u.Path], *u.Reload)
			}
		}
		return all
	}
	was, is := hooks(begun), hooks(now)
	for path := range maps.Keys(is) {
		if _, had := was[path]; !had {
			was[path] = nil
		}
	}
	for _, path := range slices.Sorted(maps.Keys(was)) {
		if a, b := was[path], is[path]; !sameText(a, b) {
			out = append(out, path)
		}
	}
	return out
}

// sameText reports whether both are written alike: what travels through Vault
// has lost whether a list was empty or none.
func sameText(a, b any) bool {
	was, err := json.Marshal(a)
	is, failed := json.Marshal(b)
	return err == nil && failed == nil && bytes.Equal(was, is)
}

// refuseExcludes says why a listing may not be taken up that excludes what
// stays on the roll: whoever wrote the exclude would believe that it is left
// alone.
func (s *session) refuseExcludes(ctx context.Context, index ownmount.RollIndex, p ownmount.Proposal) (why error, err error) {
	var stays []string
	err = s.store.Current(ctx, index, func(_ credential.Ref, c credential.Credential) {
		if slices.ContainsFunc(p.Excluded, func(x credential.Exclusion) bool { return x.ID == c.ID }) {
			if why := listing.ExcludedStays(c); why != "" {
				stays = append(stays, c.Name+" ("+why+")")
			}
		}
	})
	if err != nil {
		return nil, err
	}
	const undo = "; nothing was changed"
	if len(stays) > 0 {
		return fmt.Errorf("the campaign file excludes what stays on the roll of a running campaign: %s. Where it must keep its value, `rollcall abort` and run again with the exclude; where it is dead already, take the exclude out of the file until this campaign has ended"+undo, strings.Join(stays, "; ")), nil
	}
	return nil, nil
}

const waitsFor = "waits, for its new value may be read by "

// listedAs is what decides what is done with a credential, in words.
func listedAs(c credential.Credential) (out []string) {
	for _, p := range c.Paths {
		if slices.Contains(c.Behind, p) {
			out = append(out, "path "+p.String()+", which stays as it is, for an earlier campaign has set another value")
			continue
		}
		out = append(out, "path "+p.String())
	}
	for _, p := range c.Confirmed {
		out = append(out, "confirmed "+p.String())
	}
	for _, d := range c.Doors {
		out = append(out, "door "+d.Door)
	}
	for _, u := range c.UsedBy {
		out = append(out, "used by "+u)
	}
	for _, by := range c.ReadBy {
		if by == credential.MoreReaders {
			by = "more than are named"
		}
		out = append(out, waitsFor+by)
	}
	for _, p := range c.Accepted {
		out = append(out, "accepted: "+string(p))
	}
	if c.Problem != "" {
		out = append(out, "cannot be rotated: "+string(c.Problem))
	}
	if c.Hearsay && c.Problem != credential.OnlyInLogs {
		out = append(out, "only the secret itself names it")
	}
	return out
}

// apartFrom is what of two lists is in one alone.
func apartFrom(a, b []string) (less, more []string) {
	without := func(from, these []string) []string {
		return slices.DeleteFunc(slices.Clone(from), func(s string) bool { return slices.Contains(these, s) })
	}
	return without(a, b), without(b, a)
}

var relistMarks = map[string]string{relistChanges: "~ ", relistAdds: "+ ", relistReplaces: "- ", relistStays: "! ", relistGone: "? "}

func printRelisted(w io.Writer, changes []relistChange, width int) {
	for _, c := range changes {
		head := c.Credential
		if c.Authority != "" {
			head += " [" + c.Authority + "]"
		}
		if c.Why != "" {
			head += ": " + c.Why
		}
		fmt.Fprint(w, report.Wrap(report.Clean(head), relistMarks[c.Does], width))
		if c.Does == relistReplaces {
			continue
		}
		for _, less := range c.Less {
			fmt.Fprint(w, report.Wrap(report.Clean(less), "    - ", width))
		}
		for _, more := range c.More {
			fmt.Fprint(w, report.Wrap(report.Clean(more), "    + ", width))
		}
	}
	if len(changes) > 0 {
		fmt.Fprintln(w)
	}
}
