package userpasspassword

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

var (
	_ kind.Login      = (*Authority)(nil)
	_ kind.Outlasting = (*Authority)(nil)
)

// Outlasts reads it from the user and its mount, before anything is set.
// Without the password it lets nobody in.
func (au *Authority) Outlasts(ctx context.Context, c credential.Credential) (kind.Outlasts, error) {
	if c.Problem != "" {
		return kind.Outlasts{}, nil // it is not rotated
	}
	u, err := au.user(ctx, c.Subject)
	if err != nil || u == nil {
		return kind.Outlasts{}, err
	}
	batch, err := au.tokens.MintsBatch(ctx, u.mount, u.tokenType)
	return kind.Outlasts{Tokens: batch}, err
}

// Reads logs in with one of values, asks Vault what that token may read, and
// revokes it. Where none of them logs in, what the user could read is not
// known: nobody else gets a token of it.
//
// A user that is on the roll for its name alone (credential.SameName) is asked
// only whether what was stolen of the account of that name opens it. If all of
// that is refused (kind.ErrNoneLogsIn), who has it reads nothing: whether
// values are all of it, the caller knows. If one is accepted, the places where
// it lies count as readable too, because the answer would change with what is
// written there.
func (au *Authority) Reads(ctx context.Context, c credential.Credential, values []credential.Secret, paths []string) ([]string, error) {
	return minted.Again(func() ([]string, error) { return au.reads(ctx, c, values, paths) })
}

func (au *Authority) reads(ctx context.Context, c credential.Credential, values []credential.Secret, paths []string) ([]string, error) {
	look := au.user
	if c.Problem == credential.SameName {
		look = func(_ context.Context, subject string) (*user, error) { return au.named(subject) } // needs no right
	}
	u, err := look(ctx, c.Subject)
	if err == nil && u == nil {
		return au.readsStill(ctx, c.Subject, paths)
	}
	if err != nil {
		return nil, err
	}
	known, where := false, fmt.Sprintf("vault %s: log in to ask what a login may read", au.server)
	for _, v := range values {
		if v.IsZero() {
			continue
		}
		known = true
		v = credential.NewSecret(strings.TrimRight(v.Reveal(), "\r\n")) // as its readers take it
		if au.refused.has(u.subject(), v) {
			continue
		}
		if !au.isKnown(*u, v) && (au.refused.count(u.subject()) >= maxRefused || c.Problem != credential.SameName && au.few(ctx, *u)) {
			return nil, fmt.Errorf("%s: %w", where, kind.ErrCouldLock)
		}
		bare, auth, err := au.enter(ctx, *u, v)
		if err != nil {
			reply, err := au.refusal(ctx, *u, err)
			if err != nil {
				return nil, err
			}
			if reply != protocol.Refused {
				return nil, fmt.Errorf("%s: %s", where, reply)
			}
			au.refused.add(u.subject(), v)
			continue
		}
		if auth.ClientToken == "" {
			return nil, fmt.Errorf("%s: %w", where, kind.ErrSecondFactor)
		}
		defer minted.Discard(ctx, au.api, bare, auth)
		out, err := au.reach(ctx, c, *u, auth, paths)
		if c.Problem == credential.SameName {
			out = withPlaces(out, c, paths)
		}
		return out, err
	}
	if known {
		return nil, fmt.Errorf("%s: %w", where, kind.ErrNoneLogsIn)
	}
	return nil, fmt.Errorf("%s: no value of it is known", where)
}

// readsStill is Reads of a user that was deleted since it was listed. What it
// minted lives on with the policies of then (1.21 tried), and nobody is cut off
// who could log in again; so that is revoked.
func (au *Authority) readsStill(ctx context.Context, subject string, paths []string) ([]string, error) {
	u, err := au.named(subject)
	if err != nil {
		return nil, err
	}
	login := minted.Login{Mount: u.mount, Names: []string{u.name}}
	if _, err := au.tokens.RevokeLogin(ctx, login, nil); err != nil {
		return nil, err
	}
	return au.tokens.Reach(ctx, minted.Whose{Mine: login.Minted("")}, paths)
}

func withPlaces(readable []string, c credential.Credential, paths []string) []string {
	for _, p := range c.Paths {
		if at := p.Mount + "/data/" + p.Path; slices.Contains(paths, at) && !slices.Contains(readable, at) {
			readable = append(readable, at)
		}
	}
	return readable
}

// reach asks about its live tokens too, but of one that is on the roll for its
// name alone.
func (au *Authority) reach(ctx context.Context, c credential.Credential, u user, auth *vaultapi.SecretAuth, paths []string) ([]string, error) {
	at := "auth/" + u.mount + "/users/"
	w := minted.Whose{Auth: auth, Own: []string{u.path(), u.path() + "/policies", at + minted.Probe}}
	if c.Problem != credential.SameName {
		w.Mine = minted.Login{Mount: u.mount, Names: []string{u.name}}.Minted(auth.EntityID)
	}
	return au.tokens.Reach(ctx, w, paths)
}

// refusals remembers what was refused of late, so that asking again and again
// what a login could read does not lock it. It is kept longer than Vault
// counts.
type refusals struct {
	mu   sync.Mutex
	seen map[string][]refusal
}

type refusal struct {
	value credential.Secret
	at    time.Time
}

// few reports whether one more wrong password would be too many for a question
// about a user that is to be rotated.
func (au *Authority) few(ctx context.Context, u user) bool {
	m, err := au.mountOf(ctx, u)
	return err != nil || !m.lockout.Spare(au.ration.Counted(ctx, u.id(), m.lockout))
}

// maxRefused leaves room for the wrong passwords of others and of a proof
// below Vault's five.
const maxRefused = 3

const countedFor = 20 * time.Minute // Vault's lockout_counter_reset is 15 minutes

func (r *refusals) add(subject string, v credential.Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string][]refusal{}
	}
	r.seen[subject] = append(r.seen[subject], refusal{v, time.Now()})
}

func (r *refusals) has(subject string, v credential.Secret) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[subject] == nil {
		return false
	}
	r.seen[subject] = slices.DeleteFunc(r.seen[subject], func(x refusal) bool { return time.Since(x.at) > countedFor })
	return slices.ContainsFunc(r.seen[subject], func(x refusal) bool { return x.value.Equal(v) })
}

// count is asked after has, which drops what is counted no more.
func (r *refusals) count(subject string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen[subject])
}

func (r *refusals) forget(subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, subject)
}
