package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// A namesake is offered what was stolen of those whose name it has: what was
// there while the device was in foreign hands (ownmount.Then), of a task what
// earlier campaigns had for stolen too. What Rollcall or a person has put there
// since it refuses for good, which shows nothing; and it is in force elsewhere,
// so that its server has no business to see it.

// stolenValues are what was stolen of the accounts whose name somebody has,
// without repeats, each with where it lies, the likeliest first.
type stolenValues struct {
	values []credential.Secret
	places [][]credential.PathVersion
	lost   bool // not all of it can be read any more
	hidden bool // nor is all of it shown to this login
	put    bool // Rollcall has put there since what lies there, or somebody after it
}

func (s *stolenValues) add(v credential.Secret, at credential.PathVersion) {
	v = credential.NewSecret(strings.TrimRight(v.Reveal(), "\r\n")) // as its readers take it
	if v.IsZero() {
		return
	}
	i := slices.IndexFunc(s.values, v.Equal)
	if i < 0 {
		i, s.values, s.places = len(s.values), append(s.values, v), append(s.places, nil)
	}
	s.places[i] = append(s.places[i], at)
}

// missing says for people that what was stolen cannot be offered.
func (s *stolenValues) missing() string {
	switch {
	case s.put:
		return "what Vault holds for that one Rollcall has put there since, and nobody has seen that it refuses what was stolen before"
	case s.hidden:
		return "what Vault held for that one while the device was in foreign hands is not shown to this login (read on the metadata of its secret: run rollcall init again), and nobody has seen that it refuses that"
	case s.lost:
		return "what Vault held for that one while the device was in foreign hands cannot be read any more, and nobody has seen that it refuses that"
	}
	return "Vault holds no value of that one which could be offered"
}

func (l *lister) stolenOf(ctx context.Context, n *namesake, by map[string]*credential.Credential) (out stolenValues, err error) {
	for _, id := range n.of {
		c := *by[id]
		if c.Adopted || c.HandsOver() {
			continue // what lies there Rollcall has put there
		}
		for _, p := range c.Paths {
			if err := l.stolenAt(ctx, &c, p, &out); err != nil {
				return out, err
			}
		}
		if c.Task != nil {
			if err := l.stolenBefore(ctx, &c, &out); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// stolenAt adds what was stolen of one account's path.
func (l *lister) stolenAt(ctx context.Context, c *credential.Credential, p credential.Path, out *stolenValues) error {
	givenUp := func(what string, err error) error {
		return fmt.Errorf("%s %s, to offer it to an account of that name: %w; the listing was given up and nothing was changed", what, p, err)
	}
	live, err := l.vault.ReadLive(ctx, p, 0)
	switch {
	case placeProblem(err) != "" || vault.IsDenied(err):
		return nil
	case err != nil:
		return givenUp("reading", err)
	}
	became, err := l.vault.SinceActivated(ctx, c.ID, p, live)
	if err != nil {
		return givenUp("finding out what became of", err)
	}
	then := ownmount.Then{Lives: []vault.Live{live}}
	switch {
	case l.c.SaysWhen():
		if then, err = l.vault.HeldThen(ctx, l.c, p, live); err != nil {
			return givenUp("reading what was stolen of", err)
		}
	case became == ownmount.AsActivated, became == ownmount.Anothers:
		then = ownmount.Then{Lost: []credential.StolenVersion{{}}}
	case c.Task != nil && len(l.tasksBefore(c)) > 0:
		return nil // what lies there by now a person may have written: see stolenBefore
	}
	// Of a value that was there in foreign hands it is no matter who put it
	// there.
	out.put = out.put || became != ownmount.NotActivated && (!l.c.SaysWhen() || len(then.Lives) == 0)
	for _, was := range then.Lives {
		h := l.heldOf(was)
		if err := l.namesBefore(ctx, c, &h); err != nil {
			return err
		}
		was = was.Of(c.Users)
		for _, v := range []credential.Secret{was.Value, was.Other} {
			if was.Found && was.Problem == "" {
				out.add(v, credential.PathVersion{Path: p, Version: was.Version})
			}
		}
	}
	had := out.lost
	if err := l.lostAt(ctx, c, p, then.Lost, out); err != nil {
		return err
	}
	out.hidden = out.hidden || then.Hidden && out.lost && !had
	return nil
}

// lostAt adds what our own mount has of versions that cannot be read any more.
func (l *lister) lostAt(ctx context.Context, c *credential.Credential, p credential.Path, lost []credential.StolenVersion, out *stolenValues) error {
	if len(lost) == 0 {
		return nil
	}
	if c.Task != nil { // stolenBefore adds it to what campaigns had
		kept, err := l.vault.StolenKept(ctx, c.ID)
		if err != nil {
			return fmt.Errorf("reading what was kept of what was stolen of %s: %w; the listing was given up and nothing was changed", c.Name, err)
		}
		for _, v := range lost {
			for _, value := range kept.Of(v) {
				out.add(value, credential.PathVersion{Path: p, Version: v.Version})
			}
			out.lost = out.lost || len(kept.Of(v)) == 0
		}
		return nil
	}
	staged, _, err := l.vault.ReadStaged(ctx, c.ID)
	if err != nil && !vault.IsDenied(err) {
		return fmt.Errorf("reading what is staged for %s: %w; the listing was given up and nothing was changed", c.Name, err)
	}
	for _, v := range lost {
		old, known := staged.Old[p.String()]
		if known = known && v.Version > 0 && staged.Base[p.String()] == v.Version; known {
			out.add(old, credential.PathVersion{Path: p, Version: v.Version})
		}
		out.lost = out.lost || !known
	}
	return nil
}

// stolenBefore adds what earlier campaigns had for stolen of a task.
func (l *lister) stolenBefore(ctx context.Context, c *credential.Credential, out *stolenValues) error {
	for _, was := range l.tasksBefore(c) {
		kept, err := l.vault.StolenKept(ctx, was.ID)
		if err != nil {
			return fmt.Errorf("reading what was kept of what was stolen of %s: %w; the listing was given up and nothing was changed", c.Name, err)
		}
		for _, v := range was.Task.Stolen {
			values := kept.Of(v)
			if len(values) == 0 {
				live, err := l.vault.ReadLive(ctx, *was.Task.At, v.Version)
				switch {
				case placeProblem(err) != "" || vault.IsDenied(err):
				case err != nil:
					return fmt.Errorf("reading version %d of %s: %w; the listing was given up and nothing was changed", v.Version, *was.Task.At, err)
				case live.Found && live.Written.Equal(v.Written):
					values = []credential.Secret{live.Value}
				}
			}
			for _, value := range values {
				out.add(value, credential.PathVersion{Path: *was.Task.At, Version: v.Version})
			}
			out.lost = out.lost || len(values) == 0
		}
	}
	return nil
}

// tasksBefore is a task as earlier campaigns had it, where they knew a stolen
// value: what lies there by now is what a person has written, also where it was
// brought to its end.
func (l *lister) tasksBefore(c *credential.Credential) (out []credential.Credential) {
	take := func(was credential.Credential) {
		if was.Task != nil && was.Task.At != nil && len(was.Task.Stolen) > 0 && sameTask(was, *c) {
			out = append(out, was)
		}
	}
	for _, k := range l.past.tasks {
		take(k.Credential)
	}
	if l.past.last != nil && len(out) == 0 {
		for _, was := range l.past.last.Credentials {
			take(was)
		}
	}
	return out
}

// sameTask: the device's name is in the id, and it may have another one by now.
func sameTask(a, b credential.Credential) bool { return segment(a.Name) == segment(b.Name) }
