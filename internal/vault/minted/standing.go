package minted

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
)

// Standing is what a login got when it was last asked. Thousands of a company
// commonly get the same: whoever has the same standing may do the same, so of
// each standing one login is asked, and the others are not logged in for it.
// The zero value is nobody's.
type Standing struct {
	rights   string   // digest of what it may do on the mounts of segments
	policies string   // names of all its policies, sorted: with one text all may rise alike
	segments []string // first ones of the paths that it was asked about
	auth     vaultapi.SecretAuth
}

// Entity of whoever has the standing.
func (s Standing) Entity() string { return s.auth.EntityID }

// answer is what a standing reaches.
type reply struct {
	within, named []string
	at            time.Time
}

// stands keeps what a standing reaches, for the others that have it.
func (t *Tokens) stands(a asker, rights string, paths []string, found reply) Standing {
	names := slices.Compact(slices.Sorted(slices.Values(a.policies)))
	s := Standing{rights: rights, policies: strings.Join(names, "\x00"), segments: segmentsOf(paths), auth: vaultapi.SecretAuth{EntityID: a.entity, TokenPolicies: a.own}}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.standings == nil || len(t.standings) >= maxAnswers {
		t.standings = map[string]reply{}
	}
	t.standings[s.key(paths)] = found
	return s
}

func (s Standing) key(paths []string) string {
	return s.rights + "\x00" + s.policies + "\x00\x00" + strings.Join(paths, "\x00")
}

// Segments are what a standing is of, besides the login.
func Segments(paths []string) string { return strings.Join(segmentsOf(paths), "/") }

func segmentsOf(paths []string) (out []string) {
	for _, p := range paths {
		first, _, _ := strings.Cut(p, "/")
		out = append(out, first)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ReachMany is Reach for one of many logins, by a new token (w.Auth), and gives
// its standing; none where it may rise, or where that cannot be told.
func (t *Tokens) ReachMany(ctx context.Context, w Whose, paths []string) ([]string, Standing, error) {
	w.Many = true
	return t.reach(ctx, w, paths)
}

// ReachAs is ReachMany without a new token, for a login that had the standing.
// ok is false where nobody of that standing was asked about these paths just
// now: whoever asks then logs in. Its living tokens are asked either way.
func (t *Tokens) ReachAs(ctx context.Context, w Whose, s Standing, paths []string) (out []string, ok bool, err error) {
	if s.rights == "" || !slices.Equal(s.segments, segmentsOf(paths)) {
		return nil, false, nil
	}
	t.mu.Lock()
	known, ok := t.standings[s.key(paths)]
	t.mu.Unlock()
	if !ok || time.Since(known.at) >= goodFor {
		return nil, false, nil
	}
	// A policy may name one login, by which that one alone rises.
	for _, p := range known.named {
		if slices.ContainsFunc(w.Own, func(own string) bool { return strings.EqualFold(own, p) }) {
			return append(slices.Clone(paths), p), true, nil
		}
	}
	w.Many, w.stood, w.Auth = true, true, &s.auth
	mine, _, err := t.reach(ctx, w, paths)
	if err != nil {
		return nil, false, err
	}
	all := reached{paths: map[string]bool{}, named: map[string]bool{}}
	all.add(known.within, known.named)
	asked := map[string]bool{}
	for _, p := range paths {
		asked[p] = true
	}
	for _, p := range mine {
		if asked[p] {
			all.paths[p] = true
		} else {
			all.named[p] = true
		}
	}
	return all.of(paths), true, nil
}

// snapshot is all tokens at one moment.
type snapshot struct {
	all map[string]Token // not to be changed
	at  time.Time

	once             sync.Once // for what follows
	byEntity, byName map[string][]string
}

// mayBeOf are the tokens that may be of a login or were made with one of its: a
// Vault has them by the hundred thousand, and thousands of logins are asked.
func (s *snapshot) mayBeOf(w Whose) map[string]Token {
	s.once.Do(s.index)
	out := map[string]Token{}
	var entities []string
	take := func(accessors []string) {
		for _, a := range accessors {
			token := s.all[a]
			out[a] = token
			if token.Entity != "" && w.Mine(token) && !slices.Contains(entities, token.Entity) {
				entities = append(entities, token.Entity)
			}
		}
	}
	for _, name := range w.Login.Names {
		take(s.byName[nameKey(w.Login.Mount, name)])
	}
	if e := w.Auth.EntityID; e != "" && !slices.Contains(entities, e) {
		entities = append(entities, e)
	}
	for i := 0; i < len(entities); i++ {
		take(s.byEntity[entities[i]])
	}
	return out
}

func (s *snapshot) index() {
	s.byEntity, s.byName = map[string][]string{}, map[string][]string{}
	for accessor, token := range s.all {
		if token.Entity != "" {
			s.byEntity[token.Entity] = append(s.byEntity[token.Entity], accessor)
		}
		mount, typed, ok := strings.Cut(strings.TrimPrefix(token.Path, "auth/"), "/login/")
		if !ok {
			continue
		}
		for _, key := range slices.Compact([]string{nameKey(mount, typed), nameKey(mount, token.Meta["username"])}) {
			s.byName[key] = append(s.byName[key], accessor)
		}
	}
}

// nameKey is one for all spellings that sameName takes for one.
func nameKey(mount, name string) string {
	return mount + "\x00" + strings.ToLower(strings.Join(strings.Fields(name), " "))
}
