package listing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/people"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// Owner is somebody who sees to ends of a task and could not do it, as Vault
// stands now. A campaign would wait for that; it is told before there is one.
type Owner struct {
	Task  credential.Credential
	Ends  []string
	Owner string
	Why   string
	Do    string
	// NotAsked: our login may not look.
	NotAsked bool
}

// Text is all of it in one sentence, for a list.
func (o Owner) Text() string {
	return fmt.Sprintf("%s sees to %s: %s; %s", o.Owner, strings.Join(o.Ends, ", "), o.Why, o.Do)
}

// Owners asks Vault for the people of a roll's tasks, each once.
func Owners(ctx context.Context, store *ownmount.Store, roll *credential.Roll) (out []Owner, err error) {
	counts := people.NewRoll(roll.PeoplesOwn).Take(roll.Credentials, roll.Excluded)
	asked := map[string]Owner{}
	for _, c := range roll.Credentials {
		if c.Task == nil || c.Problem != "" {
			continue
		}
		for _, owner := range c.Task.Owners() {
			o, known := asked[owner]
			if !known {
				if o, err = ownerOf(ctx, store, owner, counts); err != nil {
					return nil, err
				}
				asked[owner] = o
			}
			if o.Why == "" {
				continue
			}
			o.Task, o.Owner, o.Ends = c, owner, nil
			for _, e := range c.Task.Ends {
				if e.Owner == owner && !slices.Contains(o.Ends, e.Name) {
					o.Ends = append(o.Ends, e.Name)
				}
			}
			out = append(out, o)
		}
	}
	return out, nil
}

func ownerOf(ctx context.Context, store *ownmount.Store, owner string, counts people.Roll) (Owner, error) {
	p, err := store.Person(ctx, owner)
	switch {
	case vault.IsDenied(err):
		return Owner{NotAsked: true, Why: "whether Vault knows that person is not known, for this login may not look people up", Do: "run rollcall init again"}, nil
	case err != nil:
		return Owner{}, err
	case p == nil:
		return Owner{Why: "Vault knows no entity and no login of that name", Do: "have that person log in to Vault once, or correct the row (a login is MOUNT/NAME, such as userpass/bob); nothing is handed over until then"}, nil
	}
	if why := p.Doubt(counts); why != "" {
		return Owner{Why: "the word of that person would count for nothing: " + why, Do: "name somebody else in the row; nothing is handed over until then"}, nil
	}
	gone, err := store.CannotLogIn(ctx, *p)
	if err != nil || gone == "" {
		return Owner{}, err
	}
	return Owner{Why: "that person cannot log in: " + gone, Do: "make the login anew, or name somebody else in the row"}, nil
}
