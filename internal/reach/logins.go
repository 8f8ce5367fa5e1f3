package reach

import (
	"context"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/rotation"
	"rollcall/internal/vault/ownmount"
)

// reads asks one login, and what of it no rotation ends. Nothing is asked of
// one that is closed already; of one that is alone only if its tokens outlast
// it.
func (o *Reach) reads(ctx context.Context, login credential.Credential, paths []string, alone bool) (readable []string, stays kind.Outlasts, shut bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stays = kind.Outlasts{Tokens: login.Batch, Login: rotation.ProblemStop(login) != nil}
	closed, values, err := o.of.values(ctx, o.campaign, login)
	if err != nil || closed {
		return nil, stays, closed, err
	}
	authority, err := o.of.kinds.Authority(o.spec, login.Authority, login.Kind)
	if err != nil {
		return nil, stays, false, err
	}
	if lasting, ok := kind.As[kind.Outlasting](authority); ok {
		now, err := lasting.Outlasts(ctx, login)
		if err != nil {
			return nil, stays, false, err
		}
		stays.Tokens, stays.Login = stays.Tokens || now.Tokens, stays.Login || now.Login
	}
	asks, ok := kind.As[kind.Login](authority)
	if !ok || alone && !stays.Tokens {
		return nil, stays, false, nil
	}
	readable, err = asks.Reads(ctx, login, values, paths)
	return readable, stays, false, err
}

// values are what may log in with a login now, and whether it is closed.
func (l *Logins) values(ctx context.Context, campaign string, login credential.Credential) (closed bool, values []credential.Secret, err error) {
	ever, lately := l.has(campaign, login.ID)
	if lately {
		return true, nil, nil
	}
	staged, found, err := l.store.ReadStaged(ctx, login.ID)
	if err != nil {
		return false, nil, err
	}
	if !found && ever {
		return true, nil, nil // it was proved dead since, and cleaned
	}
	if found && staged.Campaign == campaign {
		if !staged.Closed {
			l.drop(campaign, login.ID)
		} else {
			l.add(campaign, login.ID)
			return true, nil, nil
		}
		for _, v := range staged.Old {
			values = append(values, v)
		}
		values = append(values, staged.Secret)
	}
	for _, p := range login.Paths {
		if live, err := l.store.ReadLive(ctx, p, 0); err == nil && live.Found {
			values = append(values, live.Value)
		}
	}
	return false, values, nil
}

// places are where the new value of c can be read in Vault: staged, and live.
func (o *Reach) places(c credential.Credential) []string {
	out := []string{ownmount.StagingAPIPath(o.spec.Vault.Mount, c.ID)}
	for _, p := range c.Places() {
		out = append(out, p.Mount+"/data/"+p.Path)
	}
	return out
}

// makes are the paths at which whoever may write gives himself the login c:
// another secret-id or password of it, or a role that asks for none. What a
// directory has, nobody sets by Vault.
func makes(c credential.Credential) []string {
	i, login := strings.LastIndex(c.Subject, "/"), c.Kind.Traits().Login
	if login == nil || i < 1 {
		return nil
	}
	var out []string
	for _, part := range login.Makes {
		out = append(out, login.Path(c.Subject[:i], c.Subject[i+1:])+part)
	}
	return out
}
