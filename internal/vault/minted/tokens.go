// Package minted finds the tokens that a login to Vault minted, and revokes
// them.
//
// Vault has no list of the tokens of a login. They are found among all tokens
// by what a look-up by accessor shows, and not by leases: those lie under as
// many prefixes as there are spellings of the name, and an answer to a
// revocation by prefix proves nothing (204 also where nothing was there; 1.21
// tried). An orphan shows nothing of who made it, and a batch token is in no
// list: Outcome says so.
package minted

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"

	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

const (
	lookupsAtOnce = 16
	maxPasses     = 4
)

// Token is what Vault tells of one by its accessor.
type Token struct {
	Path   string // of the API, at which it was minted
	Meta   map[string]string
	Entity string // id; empty: it has none
	Orphan bool   // it outlives whoever made it
	Name   string // display name
	Made   int64  // seconds since 1970

	Policies, IdentityPolicies []string // the latter Vault works out at each request (anew.go)
}

// Tokens looks at the tokens of one Vault namespace. It remembers each by its
// accessor, for what a token is of never changes; so the first look takes as
// many calls as there are tokens, and the others one and the new ones. What
// Vault may change of one Anew forgets. Safe for concurrent use.
type Tokens struct {
	api    *vaultapi.Client
	server string

	turn   chan struct{}    // one look at a time: what one has seen the next need not
	seen   map[string]Token // by accessor; whoever has the turn
	looked time.Time        // when the last whole look began; whoever has the turn

	mu   sync.Mutex
	last *snapshot // what the last look for Reach saw

	gives map[string]given // what entities give, by id
	since time.Time        // of the last Anew

	replies map[string][]string // what new tokens reach, by their rights and the paths
	version string              // of Vault; empty until it was asked

	standings map[string]reply // what one login of each reaches, by the paths
	texts     map[string]text  // of policies, by name

	lists, metas sync.Map // what many tokens have in common is kept once
}

// New gives the tokens that api shows. serverName is how the ledger calls its
// Vault.
func New(api *vaultapi.Client, serverName string) *Tokens {
	return &Tokens{api: api, server: serverName, turn: make(chan struct{}, 1), seen: map[string]Token{}, gives: map[string]given{}}
}

// Warm looks at all tokens that there are, so that a look later on is short.
func (t *Tokens) Warm(ctx context.Context) error {
	_, err := t.look(ctx)
	return err
}

// Each hands out all tokens that there are, and looks up those that it has not
// seen.
func (t *Tokens) Each(ctx context.Context, each func(Token)) error {
	all, err := t.look(ctx)
	for _, token := range all {
		each(token)
	}
	return err
}

// Find gives the tokens that mine reports, by accessor. Each of them was there
// just now.
func (t *Tokens) Find(ctx context.Context, mine func(Token) bool) (map[string]Token, error) {
	all, err := t.look(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for accessor, token := range all {
		if mine(token) {
			found = append(found, accessor)
		}
	}
	return t.living(ctx, found)
}

// RevokeAll revokes every token that mine reports and looks again until none is
// left.
func (t *Tokens) RevokeAll(ctx context.Context, mine func(Token) bool) (int, error) {
	return t.sweep(ctx, func() (map[string]Token, error) { return t.Find(ctx, mine) })
}

// sweep revokes what find finds until it finds nothing: an answer to a
// revocation proves nothing, and a login that was on its way can still mint a
// token.
func (t *Tokens) sweep(ctx context.Context, find func() (map[string]Token, error)) (int, error) {
	revoked := map[string]bool{}
	for pass := 0; ; pass++ {
		found, err := find()
		if err != nil || len(found) == 0 {
			return len(revoked), err
		}
		if pass == maxPasses {
			return len(revoked), &protocol.Stop{Reason: protocol.ReasonConflict, Server: t.server, Detail: "tokens of the login keep appearing although its old secret is dead; who mints them? The new one waits in staging and no consumer has it"}
		}
		for accessor := range found {
			revoked[accessor] = true
		}
		if err := t.revoke(ctx, found); err != nil {
			return len(revoked), err
		}
	}
}

func (t *Tokens) revoke(ctx context.Context, found map[string]Token) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookupsAtOnce)
	for accessor := range found {
		g.Go(func() error {
			if err := t.api.Auth().Token().RevokeAccessorWithContext(ctx, accessor); err != nil && !vanished(err) {
				return t.fail("revoke a token", err)
			}
			return nil
		})
	}
	return g.Wait()
}

// lookedUpAtOnce bounds what a look has in hand besides what it keeps.
const lookedUpAtOnce = 2000

// look lists all tokens and looks up those that are new. The map is not to be
// changed.
func (t *Tokens) look(ctx context.Context) (map[string]Token, error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("vault %s: look at tokens: %w", t.server, ctx.Err())
	}
	defer func() { <-t.turn }()
	began := time.Now()
	got, err := t.api.Logical().ListWithContext(ctx, "auth/token/accessors")
	if err != nil {
		return nil, t.fail("list token accessors", err)
	}
	listed := map[string]Token{}
	var fresh []string
	t.mu.Lock()
	anew := t.since
	t.mu.Unlock()
	for _, accessor := range keys(got) {
		if token, known := t.seen[accessor]; known && !(mayChange(token) && t.looked.Before(anew)) {
			listed[accessor] = token
		} else {
			fresh = append(fresh, accessor)
		}
	}
	for part := range slices.Chunk(fresh, lookedUpAtOnce) {
		found, err := t.living(ctx, part)
		maps.Copy(listed, found)
		if err != nil {
			maps.Copy(listed, t.seen)
			t.seen = listed // they need not be looked up again
			return nil, err
		}
	}
	if err := t.changed(ctx, listed); err != nil {
		return nil, err
	}
	t.seen, t.looked = listed, began // what is gone is forgotten
	return listed, nil
}

// living looks tokens up by their accessors, and leaves out those that are
// gone. On an error it gives what it has.
func (t *Tokens) living(ctx context.Context, accessors []string) (map[string]Token, error) {
	found := make([]*Token, len(accessors))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookupsAtOnce)
	for i, accessor := range accessors {
		g.Go(func() (err error) {
			found[i], err = t.lookup(ctx, accessor)
			return err
		})
	}
	err := g.Wait()
	out := map[string]Token{}
	for i, token := range found {
		if token != nil {
			out[accessors[i]] = *token
		}
	}
	return out, err
}

// lookup is nil if the token is gone.
func (t *Tokens) lookup(ctx context.Context, accessor string) (*Token, error) {
	const op, at = "look up a token by its accessor", "auth/token/lookup-accessor"
	asked := time.Now()
	got, err := t.api.Auth().Token().LookupAccessorWithContext(ctx, accessor)
	switch {
	case vanished(err):
		return nil, nil
	case vault.Answered(err, http.StatusForbidden):
		// Vault says the same of a token that is gone before its accessor is,
		// and of a right that we lack.
		caps, askErr := t.api.Sys().CapabilitiesSelfWithContext(ctx, at)
		if askErr == nil && (slices.Contains(caps, "update") || slices.Contains(caps, "root")) {
			return nil, nil
		}
		return nil, t.fail(op, err)
	case err != nil:
		return nil, t.fail(op, err)
	case got == nil:
		return nil, nil
	}
	token := Token{Meta: t.meta(got.Data["meta"])}
	token.Path, token.Entity = once(got.Data["path"]), once(got.Data["entity_id"])
	token.Orphan, _ = got.Data["orphan"].(bool)
	token.Name = once(got.Data["display_name"])
	if made, ok := got.Data["creation_time"].(json.Number); ok {
		token.Made, _ = made.Int64()
	}
	token.Policies, token.IdentityPolicies = t.list(got.Data["policies"]), t.list(got.Data["identity_policies"])
	t.noteGiven(token, asked)
	return &token, nil
}

// vanished: the token has ended since it was listed.
func vanished(err error) bool {
	reply, _ := vault.ReplyIn(err)
	return reply.Says("invalid accessor", "token not found")
}

func keys(got *vaultapi.Secret) []string {
	if got == nil {
		return nil
	}
	return vault.TextsIn(got.Data["keys"])
}
