package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// Where a person's list or the campaign file names a secret that is not there,
// one is made. It may be meant so. Or the name is mistyped: the account gets a
// new password, and what reads the secret that was meant is cut off. So
// somebody has to say that it is new, and until then it is a warning.

// unmade is a place that a person named, where no secret is, and of which
// nobody says that one is to be made.
type unmade struct {
	credential.Path
	name  string // of the credential
	where string // the row
}

// saidPlace is where a person named a path.
type saidPlace struct {
	where string
	isNew bool
}

// newPlaces gathers those of the roll.
type newPlaces struct {
	l     *lister
	said  map[credential.Path]saidPlace
	found []unmade
}

func (l *lister) newPlaces() *newPlaces {
	n := &newPlaces{l: l, said: map[credential.Path]saidPlace{}, found: slices.Clone(l.unmade)}
	say := func(p credential.Path, where string, isNew bool) {
		had, has := n.said[p]
		if has {
			where, isNew = had.where, isNew || had.isNew
		}
		n.said[p] = saidPlace{where, isNew}
	}
	for _, c := range l.candidates {
		if c.Path != nil && config.TraitsOfSource(c.Reason.Type).Rows {
			say(*c.Path, rowOf(c.Reason), c.New)
		}
	}
	for _, c := range l.c.Confirm {
		say(c.Path, "confirm in the campaign file", c.New)
	}
	return n
}

// at notes that nothing is at a path of a credential. asked: nobody says that a
// new secret is meant.
func (n *newPlaces) at(c *credential.Credential, p credential.Path) (u unmade, asked bool) {
	said, has := n.said[p]
	if has {
		c.Makes = append(c.Makes, p)
	}
	return unmade{p, c.Name, said.where}, has && !said.isNew
}

// tell warns of those of which nobody says that they are new, and which have no
// metadata either with which somebody made them.
func (n *newPlaces) tell(ctx context.Context) error {
	slices.SortFunc(n.found, func(a, b unmade) int {
		return cmp.Or(strings.Compare(a.String(), b.String()), strings.Compare(a.name, b.name))
	})
	near := &neighbours{vault: n.l.vault, names: map[string][]string{}}
	var lone []unmade
	for i, u := range n.found {
		var like []string
		there := false
		if i < mostLikened {
			var err error
			if like, there, err = near.like(ctx, u.Path); err != nil {
				return err
			}
		}
		switch {
		case there:
		case len(like) > 0:
			n.l.warn(credential.FindingNewSecret, "%s names %s for %s, and no such secret is there; %s is, whose name is like it. Correct the name; or, if a new secret is meant, say so there (new: true). As it stands the new value goes where nothing reads it, and what reads the other one is cut off",
				u.where, u, u.name, strings.Join(like, " or "))
		default:
			lone = append(lone, u)
		}
	}
	n.warnOf(lone, near.blind)
	return nil
}

// warnOf warns of those beside which nothing of a like name is, together.
func (n *newPlaces) warnOf(lone []unmade, blind bool) {
	if len(lone) == 0 {
		return
	}
	const most = 10
	var names []string
	for _, u := range lone[:min(most, len(lone))] {
		names = append(names, fmt.Sprintf("%s for %s (%s)", u, u.name, u.where))
	}
	text, more := strings.Join(names, "; "), ""
	if len(lone) > most {
		text += fmt.Sprintf("; and %d more", len(lone)-most)
	}
	if blind {
		more = " (which secrets are beside it this login may not list)"
	}
	n.l.warn(credential.FindingNewSecret, "named, and no such secret is there%s: %s. Correct the name; or, if a new secret is meant, say so where it is named (new: true; in CSV a column new). As it stands the new value goes where nothing reads it yet, and what reads another secret is cut off", more, text)
}

// What the search for names is bounded by: it is a help, and no more.
const (
	mostLikened = 100 // places
	mostFolders = 200 // of all of them
	mostLike    = 3   // that are named
)

// neighbours finds secrets whose path is like one that is not there.
type neighbours struct {
	vault Vault
	names map[string][]string // of folders, by mount and folder
	blind bool                // one could not be listed
}

// like are those that are likest, and whether that very secret is there.
func (n *neighbours) like(ctx context.Context, p credential.Path) (like []string, there bool, err error) {
	found := map[string]int{}
	if err := n.search(ctx, p.Mount, "", strings.Split(p.Path, "/"), 0, found); err != nil {
		return nil, false, err
	}
	best := tooUnlike
	for path, cost := range found {
		switch {
		case path == p.Path:
			return nil, true, nil
		case cost < best:
			best, like = cost, []string{p.Mount + "/" + path}
		case cost == best:
			like = append(like, p.Mount+"/"+path)
		}
	}
	slices.Sort(like)
	return like[:min(mostLike, len(like))], false, nil
}

// tooUnlike is how many segments of a path differ in one that is another one.
const tooUnlike = 3

// search notes in found what the rest of a path may mean below a folder, by how
// many segments are otherwise: like another one, left out, or too many.
func (n *neighbours) search(ctx context.Context, mount, folder string, rest []string, cost int, found map[string]int) error {
	names, err := n.in(ctx, mount, folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		sub, isFolder := strings.CutSuffix(name, "/")
		at, differs := strings.TrimPrefix(folder+"/"+sub, "/"), 1
		if sub == rest[0] {
			differs = 0
		}
		here := cost + differs
		if here < tooUnlike && likeSegment(rest[0], sub) {
			switch {
			case len(rest) == 1 && !isFolder:
				if had, has := found[at]; !has || here < had {
					found[at] = here
				}
			case len(rest) > 1 && isFolder:
				if err := n.search(ctx, mount, at, rest[1:], here, found); err != nil {
					return err
				}
			}
		}
		if isFolder && cost == 0 && sub != rest[0] { // one is left out
			if err := n.search(ctx, mount, at, rest, tooUnlike-1, found); err != nil {
				return err
			}
		}
	}
	if cost == 0 && len(rest) > 1 { // one is too many
		return n.search(ctx, mount, folder, rest[1:], tooUnlike-1, found)
	}
	return nil
}

func (n *neighbours) in(ctx context.Context, mount, folder string) ([]string, error) {
	key := mount + "/" + folder
	if names, has := n.names[key]; has {
		return names, nil
	}
	if len(n.names) >= mostFolders {
		return nil, nil
	}
	names, err := n.vault.Names(ctx, "look for secrets of a like name", mount, folder)
	switch {
	case vault.IsDenied(err):
		n.blind = true
	case err != nil:
		return nil, fmt.Errorf("looking what is beside secrets that are not there: %w; the listing was given up and nothing was changed", err)
	}
	n.names[key] = names
	return names, nil
}
