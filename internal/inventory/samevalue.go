package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// sameElsewhere adds the accounts that have to do with the device, or may have,
// for their name alone; false where there are none, and the roll stays as it
// is.
func (l *lister) sameElsewhere(ctx context.Context, roll *credential.Roll, own ownIdentities) (bool, error) {
	found, err := l.namesakes(ctx, roll, own)
	if err != nil || len(found) == 0 {
		return false, err
	}
	by := map[string]*credential.Credential{}
	for i, c := range roll.Credentials {
		by[c.ID] = &roll.Credentials[i]
	}
	behindDoors := l.doorLogins()
	for _, c := range append(l.taskLogins(), behindDoors...) {
		by[c.ID] = c
	}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(namesakesAtOnce)
	refused := make([]bool, len(found))
	for i, n := range found {
		if n.excluded || l.offers == nil {
			continue
		}
		g.Go(func() (err error) {
			refused[i], err = l.askNamesake(within, n, by)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	found, refused = l.besideDoors(roll, found, refused, behindDoors)
	var ask, no []string
	changed := false
	defer l.nameAccounts() // of those that came to it
	for i, n := range found {
		called := n.authority + ": " + n.Name
		switch {
		case refused[i]:
			no = append(no, called)
			l.past.unlike = append(l.past.unlike, n.id())
		case l.running.has(n.id()) && !n.excluded: // it goes on there
			continue
		case l.offers == nil && l.running.unlike(n.id()):
			no = append(no, called)
		case n.excluded || l.offers != nil && !l.namesAccepted(n):
			l.add(n.candidate(l.c))
			changed = true
			continue
		case l.offers == nil:
			ask = append(ask, called)
			continue
		}
		changed = l.past.answered(n.id()) || changed
	}
	switch {
	case len(ask) > 0 && l.running != nil:
		l.warn(credential.FindingNotTakenUp, "%s the name of an account that is listed: %s. Listing again offers nothing to anybody, so whether they take what was stolen is not known: the next campaign asks each, once. List what you know to be the device's; exclude, by its DN or immutable id, what must not be asked",
			plural.Count(len(ask), "account that no source names has", "accounts that no source names have"), some(ask))
	case len(ask) > 0:
		l.warn(credential.FindingSameName, "%s the name of an account of the roll: %s. A campaign offers each, once, what was stolen of that one: who takes it is the device's and is rotated, who refuses it is left alone. List what you know to be the device's; exclude, by its DN or immutable id, what must not be asked",
			plural.Count(len(ask), "account that no source names has", "accounts that no source names have"), some(ask))
	}
	if len(no) > 0 {
		l.warn(credential.FindingSameName, "%s what was offered of that one, or refused it in an earlier campaign: %s left alone (%s)",
			plural.Count(len(no), "account that no source names has the name of an account of the roll, and refuses", "accounts that no source names have the name of an account of the roll, and refuse"), plural.Pick(len(no), "it is", "they are"), some(no))
	}
	return changed, nil
}

// namesakesAtOnce bounds how many accounts are offered a value at a time.
const namesakesAtOnce = 8

// askNamesake offers an account what was stolen of those whose name it has;
// refused reports that it takes none of that. What could not be found out is in
// open.
func (l *lister) askNamesake(ctx context.Context, n *namesake, by map[string]*credential.Credential) (refused bool, err error) {
	stolen, err := l.stolenOf(ctx, n, by)
	if err != nil {
		return false, err
	}
	unlike := slices.Contains(l.past.unlike, n.id())
	switch {
	case len(stolen.values) == 0 && (stolen.lost || stolen.put) && unlike:
		return true, nil // it refused what was stolen, and nothing of that is left
	case len(stolen.values) == 0:
		n.open = stolen.missing()
		return false, nil
	}
	// One alone, whatever the account bears: others may guess at it too.
	takes, why := l.offers(ctx, credential.Credential{ID: n.id(), Kind: l.c.KindOf(n.authority), Authority: n.authority, Subject: n.Subject, Name: n.Name}, stolen.values[0])
	switch {
	case why != "":
		n.open = "it could not be asked whether it takes what was stolen of that one: " + why
	case takes:
		n.takes = stolen.places[0]
	case len(stolen.values) > 1 && !unlike:
		n.open = fmt.Sprintf("it refused one of the %d values that were stolen of that one, and no more than one is offered", len(stolen.values))
	case (stolen.put || stolen.lost) && !unlike:
		n.open = stolen.missing()
	default:
		n.open = l.notTheirs(ctx, n, by, stolen.values[0], stolen.places[0])
		return n.open == "", nil
	}
	return false, nil
}

// notTheirs says why it shows nothing that an account refuses a value: the one
// whose name it has, and at whose path it lies, does not take it either.
// Somebody changed that, or Vault holds an old one, and what was stolen of both
// nobody knows. Empty where it does.
func (l *lister) notTheirs(ctx context.Context, n *namesake, by map[string]*credential.Credential, value credential.Secret, at []credential.PathVersion) (why string) {
	why = "it refuses what was offered of that one, and so does that one itself: what was stolen of the two is not known"
	for _, id := range n.of {
		if !slices.ContainsFunc(at, func(p credential.PathVersion) bool { return slices.Contains(by[id].Paths, p.Path) }) {
			continue
		}
		if by[id].Task != nil {
			return "" // nobody can be asked, and a row says that the value is its own
		}
		switch takes, open := l.offers(ctx, *by[id], value); {
		case takes:
			return ""
		case open != "":
			why = "it refuses what was offered of that one, of which it could not be asked whether that is its own: " + open
		}
	}
	return why
}

// namesAccepted reports whether a person accepts that accounts of that
// authority which could not be asked are left alone.
func (l *lister) namesAccepted(n *namesake) bool {
	return n.open != "" && l.nameAccepted(n.authority)
}

func (l *lister) nameAccepted(authority string) bool {
	i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Accepts(authority, credential.FindingSameName) })
	if i >= 0 {
		l.warn(credential.FindingAccepted, "accounts of %s that have the name of an account of the roll, and could not be asked, are left alone, which the campaign file accepts: %s", l.c.Called(authority), l.c.Accept[i].Reason)
	}
	return i >= 0
}

func (n *namesake) candidate(c *config.Campaign) Candidate {
	like := n.likeness
	like.takes = like.takes[:min(len(like.takes), credential.MaxPaths)]
	return Candidate{Kind: c.KindOf(n.authority), Authority: n.authority, Account: n.Subject, Found: &n.Account, Like: &like,
		Reason: credential.Reason{Source: "rollcall", Type: nameSource, Detail: "it has the name of " + some(n.whose)}}
}

// likened says on a draft that it is there for its name.
func (d *draft) likened(by *likeness) {
	d.like, d.Alike = append(d.like, by.of...), append(d.Alike, by.takes...)
	whose := some(by.whose)
	if len(by.takes) > 0 {
		var at []string
		for _, p := range by.takes {
			at = append(at, p.Path.String())
		}
		slices.Sort(at)
		d.find(credential.FindingSameName, "no source names it; it has the name of %s, and takes what was stolen of that one (%s): whoever stole that logs in here too. It gets a value of its own, and nothing of it is written there: what logs in here with what lies there must read the new place, or is cut off. "+
			"To have it otherwise exclude account %s, or list it with a path of its own", whose, some(slices.Compact(at)), d.Subject)
		return
	}
	d.problems = append(d.problems, credential.SameName)
	d.nameProblem()
	d.find(credential.FindingSameName, "no source names it, and it has the name of %s: %s. If the device had its password, list it (a line of a manifest with account %s), and it is rotated; if it has nothing to do with the device, exclude account %s",
		whose, cmp.Or(by.open, "nobody was asked"), d.Subject, d.Subject)
}
