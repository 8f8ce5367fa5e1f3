package vaultlogin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

const (
	// maxWrongLogins is how many wrong passwords one question may cost an
	// account at one mount.
	maxWrongLogins = 2
	// refusedFor is how long a value that a mount refused is not offered there
	// again: each time counts at the directory. Later on it may be the one in
	// force.
	refusedFor = 15 * time.Minute
)

// refusal is a value that a mount refused for an account.
type refusal struct {
	subject, mount string
	value          credential.Secret
	at             time.Time
}

// Reads logs in at each mount with one of values and asks what the token may
// read. Which it was is not known: the first ones are most likely in force, and
// what was refused is not offered again soon.
func (au *Authority) Reads(ctx context.Context, c credential.Credential, values []credential.Secret, paths []string) ([]string, error) {
	return minted.Again(func() ([]string, error) { return au.reads(ctx, c, values, paths) })
}

func (au *Authority) reads(ctx context.Context, c credential.Credential, values []credential.Secret, paths []string) ([]string, error) {
	var out []string
	for _, l := range c.Logins {
		if l.Plain {
			continue
		}
		may, err := au.readsAt(ctx, c, l, values, paths)
		if err != nil {
			return nil, err
		}
		for _, p := range may {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// readsAt asks about one mount: a new token and the live ones of the account.
// Where a mount gives policies to many accounts, those that get the same are
// asked by one of them.
func (au *Authority) readsAt(ctx context.Context, c credential.Credential, l credential.VaultLogin, values []credential.Secret, paths []string) ([]string, error) {
	at := "auth/" + l.Mount
	of := minted.Login{Mount: l.Mount, Names: l.Names}
	w := minted.Whose{Login: of, Own: []string{at + "/config", at + "/groups/" + minted.Probe, at + "/users/" + minted.Probe}, Many: true}
	for _, name := range l.Names {
		w.Own = append(w.Own, at+"/users/"+name)
	}
	key := [3]string{c.Subject, strings.Join(append([]string{l.Mount}, l.Names[:min(1, len(l.Names))]...), "/login/"), minted.Segments(paths)}
	if s, ok := au.stands(key); ok {
		w.Mine = of.Minted(s.Entity())
		may, ok, err := au.tokens.ReachAs(ctx, w, s, paths)
		if ok || err != nil {
			return may, err
		}
	}
	auth, end, err := au.logInWithOne(ctx, c, l, values)
	if err != nil {
		return nil, err
	}
	defer end()
	w.Auth, w.Mine = auth, of.Minted(auth.EntityID)
	may, s, err := au.tokens.ReachMany(ctx, w, paths)
	if err == nil {
		au.stood(key, s)
	}
	return may, err
}

func (au *Authority) logInWithOne(ctx context.Context, c credential.Credential, l credential.VaultLogin, values []credential.Secret) (*vaultapi.SecretAuth, func(), error) {
	if len(l.Names) > 0 {
		end, err := au.ration.Alone(ctx, loginID(l))
		if err != nil {
			return nil, nil, err
		}
		defer end()
	}
	var offered []credential.Secret
	wrong := 0
	for _, v := range values {
		if v.IsZero() || slices.ContainsFunc(offered, v.Equal) || au.wasRefused(c.Subject, l.Mount, v) {
			continue
		}
		if wrong == maxWrongLogins {
			break
		}
		offered = append(offered, v)
		known := au.letInLast(c, l, v)
		var auth *vaultapi.SecretAuth
		var end func()
		var err error
		if len(l.Names) > 0 {
			err = au.mayBeWrong(ctx, c, l, v, known)
		}
		if err == nil {
			auth, end, err = au.logIn(ctx, l, v)
		}
		if err == nil {
			au.letIn(ctx, c, l, v, known)
			return auth, end, nil
		}
		if !errors.Is(err, errRefused) {
			return nil, nil, err
		}
		wrong++
		if known {
			au.letInNoMore(ctx, c, l)
		}
		au.note(refusal{c.Subject, l.Mount, v, time.Now()})
	}
	return nil, nil, fmt.Errorf("vault %s: log in to ask what a login may read: no value that is known is accepted", au.vault)
}

var errRefused = errors.New("refused")

// logIn logs in with a password. What Vault says of a refusal stays here.
func (au *Authority) logIn(ctx context.Context, l credential.VaultLogin, value credential.Secret) (*vaultapi.SecretAuth, func(), error) {
	if len(l.Names) == 0 || strings.Contains(l.Names[0], "/") || strings.Contains(l.Names[0], "..") {
		return nil, nil, fmt.Errorf("vault %s: log in: the account has no name that fits into a path", au.vault)
	}
	began := time.Now()
	auth, end, err := au.tokens.LogIn(ctx, "auth/"+l.Mount+"/login/"+l.Names[0], map[string]any{"password": value.Reveal()})
	if err == nil || errors.Is(err, minted.ErrNoToken) {
		au.measured(l.Mount, time.Since(began))
	}
	switch {
	case err == nil:
		return auth, end, nil
	case vault.Answered(err, http.StatusBadRequest, http.StatusForbidden):
		return nil, nil, fmt.Errorf("vault %s: log in: %w", au.vault, errRefused)
	case errors.Is(err, minted.ErrNoToken):
		return nil, nil, fmt.Errorf("vault %s: log in: %w", au.vault, err)
	}
	return nil, nil, fmt.Errorf("vault %s: log in: %w", au.vault, vault.ErrNoAnswer)
}

func (au *Authority) wasRefused(subject, mount string, value credential.Secret) bool {
	au.mu.Lock()
	defer au.mu.Unlock()
	au.refused = slices.DeleteFunc(au.refused, func(r refusal) bool { return time.Since(r.at) > refusedFor })
	return slices.ContainsFunc(au.refused, func(r refusal) bool {
		return r.subject == subject && r.mount == mount && r.value.Equal(value)
	})
}

func (au *Authority) note(r refusal) {
	au.mu.Lock()
	defer au.mu.Unlock()
	au.refused = append(au.refused, r)
}

// Outlasts reads it from the mounts, before anything is set.
func (au *Authority) Outlasts(ctx context.Context, c credential.Credential) (kind.Outlasts, error) {
	for _, l := range c.Logins {
		if l.Plain {
			continue
		}
		if batch, err := au.mintsBatchLately(ctx, l); err != nil || batch {
			return kind.Outlasts{Tokens: batch}, err
		}
	}
	return kind.Outlasts{}, nil
}

// batchFor is how long an answer serves for the other accounts of a mount.
const batchFor = 5 * time.Second

// mintsBatchLately is mintsBatch for questions about many accounts at once.
func (au *Authority) mintsBatchLately(ctx context.Context, l credential.VaultLogin) (bool, error) {
	au.mu.Lock()
	known, ok := au.batch[l.Mount]
	au.mu.Unlock()
	if ok && time.Since(known.at) < batchFor {
		return known.mints, nil
	}
	at := time.Now()
	mints, err := au.mintsBatch(ctx, l)
	if err != nil {
		return false, err
	}
	au.mu.Lock()
	defer au.mu.Unlock()
	if au.batch == nil {
		au.batch = map[string]mintsBatch{}
	}
	au.batch[l.Mount] = mintsBatch{mints, at}
	return mints, nil
}

type mintsBatch struct {
	mints bool
	at    time.Time
}

// mintsBatch asks the mount's own configuration and its tuning.
func (au *Authority) mintsBatch(ctx context.Context, l credential.VaultLogin) (bool, error) {
	own, err := au.tokens.TokenType(ctx, "auth/"+l.Mount+"/config")
	if err != nil {
		return false, err
	}
	return au.tokens.MintsBatch(ctx, l.Mount, own)
}
