package minted

import (
	"context"
	"slices"
	"time"
)

// A worker of a cluster lives for weeks, and Vault changes two things of a
// token meanwhile. What its entity and that one's groups give is worked out at
// each request, and shown by each look-up as it is then. And whoever ends a
// token by auth/token/revoke-orphan makes orphans of those that it made. So a
// listing has both asked for anew: one token of each entity, and each child
// that was none.

// given is what an entity gives its tokens, and when Vault was asked.
type given struct {
	policies []string // not to be changed
	at       time.Time
}

// Anew has the looks after it ask for what Vault may have changed of tokens
// that are known. A listing begins with it.
func (t *Tokens) Anew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since, t.last, t.version = time.Now(), nil, ""
}

// mayChange: it was no orphan, and shows nothing of who made it.
func mayChange(token Token) bool { return isChild(token) && !token.Orphan && token.Entity == "" }

// noteGiven keeps what a look-up showed of an entity.
func (t *Tokens) noteGiven(token Token, asked time.Time) {
	if token.Entity == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if asked.After(t.gives[token.Entity].at) {
		t.gives[token.Entity] = given{token.IdentityPolicies, asked}
	}
}

// changed brings what entities give in all up to date, as of the last Anew, and
// forgets entities that have no token.
func (t *Tokens) changed(ctx context.Context, all map[string]Token) error {
	t.mu.Lock()
	since := t.since
	t.mu.Unlock()
	err := t.Renew(ctx, all, since)
	of := map[string]bool{}
	for _, token := range all {
		of[token.Entity] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for entity := range t.gives {
		if !of[entity] {
			delete(t.gives, entity)
		}
	}
	return err
}

// Renew brings what entities give in tokens up to date: nothing is older than
// since. It takes a call for each entity that was not asked about meanwhile.
// Tokens that are gone are dropped.
func (t *Tokens) Renew(ctx context.Context, tokens map[string]Token, since time.Time) error {
	stale := map[string][]string{} // accessors, by entity
	t.mu.Lock()
	for accessor, token := range tokens {
		if token.Entity != "" && t.gives[token.Entity].at.Before(since) {
			stale[token.Entity] = append(stale[token.Entity], accessor)
		}
	}
	t.mu.Unlock()
	for len(stale) > 0 {
		var ask []string
		for _, accessors := range stale {
			ask = append(ask, accessors[0])
		}
		for part := range slices.Chunk(ask, lookedUpAtOnce) {
			living, err := t.living(ctx, part)
			if err != nil {
				return err
			}
			for _, accessor := range part {
				entity := tokens[accessor].Entity
				if _, lives := living[accessor]; lives {
					delete(stale, entity)
					continue
				}
				delete(tokens, accessor)
				if stale[entity] = stale[entity][1:]; len(stale[entity]) == 0 {
					delete(stale, entity)
				}
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for accessor, token := range tokens {
		if of, known := t.gives[token.Entity]; known && !slices.Equal(of.policies, token.IdentityPolicies) {
			token.IdentityPolicies = of.policies
			tokens[accessor] = token
		}
	}
	return nil
}
