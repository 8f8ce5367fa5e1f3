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
	var out []string
	for _, l := range c.Logins {
		if l.Plain {
			continue
		}
		auth, end, err := au.logInWithOne(ctx, c.Subject, l, values)
		if err != nil {
			return nil, err
		}
		may, err := au.reach(ctx, l, auth, paths)
		end()
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

// reach asks about the live tokens of the account at the mount too.
func (au *Authority) reach(ctx context.Context, l credential.VaultLogin, auth *vaultapi.SecretAuth, paths []string) ([]string, error) {
	at := "auth/" + l.Mount
	own := []string{at + "/config", at + "/groups/" + minted.Probe, at + "/users/" + minted.Probe}
	for _, name := range l.Names {
		own = append(own, at+"/users/"+name)
	}
	return au.tokens.Reach(ctx, minted.Whose{Auth: auth, Mine: minted.Login{Mount: l.Mount, Names: l.Names}.Minted(auth.EntityID), Own: own, Many: true}, paths)
}

func (au *Authority) logInWithOne(ctx context.Context, subject string, l credential.VaultLogin, values []credential.Secret) (*vaultapi.SecretAuth, func(), error) {
	var offered []credential.Secret
	wrong := 0
	for _, v := range values {
		if v.IsZero() || slices.ContainsFunc(offered, v.Equal) || au.wasRefused(subject, l.Mount, v) {
			continue
		}
		if wrong == maxWrongLogins {
			break
		}
		offered = append(offered, v)
		auth, end, err := au.logIn(ctx, l, v)
		if err == nil {
			return auth, end, nil
		}
		if !errors.Is(err, errRefused) {
			return nil, nil, err
		}
		wrong++
		au.note(refusal{subject, l.Mount, v, time.Now()})
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
	var resp *vaultapi.ResponseError
	switch {
	case err == nil:
		return auth, end, nil
	case errors.As(err, &resp) && (resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusForbidden):
		return nil, nil, fmt.Errorf("vault %s: log in: %w", au.vault, errRefused)
	case errors.Is(err, minted.ErrNoToken):
		return nil, nil, fmt.Errorf("vault %s: log in: %w", au.vault, err)
	}
	return nil, nil, fmt.Errorf("vault %s: log in: %w", au.vault, minted.ErrSilence)
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
		if batch, err := au.mintsBatch(ctx, l); err != nil || batch {
			return kind.Outlasts{Tokens: batch}, err
		}
	}
	return kind.Outlasts{}, nil
}

// mintsBatch asks the mount's own configuration and its tuning.
func (au *Authority) mintsBatch(ctx context.Context, l credential.VaultLogin) (bool, error) {
	own, err := au.tokens.TokenType(ctx, "auth/"+l.Mount+"/config")
	if err != nil {
		return false, err
	}
	return au.tokens.MintsBatch(ctx, l.Mount, own)
}
