package reach

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/rotation"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// reads asks one login, and what of it no rotation ends. Nothing is asked of
// one that is closed already; of one that is alone only if its tokens outlast
// it.
func (o *Reach) reads(ctx context.Context, login credential.Credential, paths []string, alone bool) (readable []string, stays kind.Outlasts, shut bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stays = kind.Outlasts{Tokens: login.Batch, Login: rotation.ProblemStop(login) != nil}
	closed, staged, err := o.of.closed(ctx, o.campaign, login)
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
	if login.Problem == credential.SameName {
		readable, err = o.namesakeReads(ctx, asks, login, paths)
		return readable, stays, false, err
	}
	readable, err = asks.Reads(ctx, login, o.of.values(ctx, login, staged), paths)
	return readable, stays, false, err
}

// Aside says that a login is not about to be set, whatever was noted before. It
// is no promise, and an error is left alone: the note counts for a while only.
func (l *Logins) Aside(ctx context.Context, campaign, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if got, ok := l.noted.Load(id); ok && got.(notedAt).Campaign == campaign {
		l.noted.Delete(id)
	}
	_ = l.store.NotBeforeSet(ctx, campaign, id)
}

// closed reports whether a login is closed; else it gives what the campaign has
// staged for it, if anything.
func (l *Logins) closed(ctx context.Context, campaign string, login credential.Credential) (closed bool, staged ownmount.Staged, err error) {
	ever, lately := l.has(campaign, login.ID)
	if lately {
		return true, staged, nil
	}
	staged, found, err := l.store.ReadStaged(ctx, login.ID)
	switch {
	case err != nil:
		return false, staged, err
	case !found:
		return ever, staged, nil // it was proved dead since, and cleaned
	case staged.Campaign != campaign:
		return false, ownmount.Staged{}, nil
	case staged.Closed:
		l.add(campaign, login.ID)
		return true, staged, nil
	}
	l.drop(campaign, login.ID)
	return false, staged, nil
}

// values are what may log in with a login now, the likeliest first, for each
// that is wrong counts towards a lock: what Rollcall put where consumers read
// it, what lies there, the newest first, what is staged, and what lay there
// before. What the login was seen to refuse is none.
func (l *Logins) values(ctx context.Context, login credential.Credential, staged ownmount.Staged) []credential.Secret {
	var lives []vault.Live
	var there, olds []credential.Secret
	active := false
	for _, p := range login.Paths {
		live, err := l.store.ReadLive(ctx, p, 0)
		if err != nil || !live.Found || staged.Places[p.String()] == ownmount.PlaceApart && live.Version == staged.Base[p.String()] {
			continue
		}
		active = active || live.Value.Equal(staged.Secret)
		lives = append(lives, live)
	}
	slices.SortStableFunc(lives, func(a, b vault.Live) int { return b.Written.Compare(a.Written) })
	for _, live := range lives {
		there = append(there, live.Value)
	}
	for _, key := range slices.Sorted(maps.Keys(staged.Old)) {
		if as := staged.Places[key]; as != ownmount.PlaceApart && as != ownmount.PlaceUnset {
			olds = append(olds, staged.Old[key])
		}
	}
	var new []credential.Secret
	if !staged.Secret.IsZero() && !staged.Unsent {
		new = append(new, staged.Secret)
	}
	if active {
		return slices.Concat(new, there, olds)
	}
	return slices.Concat(there, new, olds)
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
