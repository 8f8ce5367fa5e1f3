package inventory

import (
	"context"
	"slices"
	"strings"

	"rollcall/internal/vault/minted"
)

// acceptedLogins are those that a person accepted by their place, as the
// warning other-reader offers: a role or user, or an auth mount of a type that
// is not followed. Whoever logs in there does so all the time, so his tokens
// are accepted with the login: nobody could name them one by one.
type acceptedLogins struct {
	logins map[loginName]string // their places
	mounts map[string]bool
	made   map[rights]string // places, by what a token has that such a login made
}

// rights tell which tokens may be of one consumer: their entity and their
// policies, sorted and joined.
type rights struct{ entity, policies string }

func rightsOf(t minted.Token) rights {
	return rights{t.Entity, strings.Join(slices.Compact(slices.Sorted(slices.Values(t.Policies))), " ")}
}

func (r *readers) acceptedLogins(ctx context.Context, all map[string]minted.Token) (acceptedLogins, error) {
	out := acceptedLogins{map[loginName]string{}, map[string]bool{}, map[rights]string{}}
	var whole []string
	for _, a := range r.l.c.Accept {
		at, ok := strings.CutPrefix(a.Vault, "auth/")
		if _, counts := r.l.acceptedPlace(a.Vault); !ok || !counts || strings.HasPrefix(a.Vault, byAccessor) || strings.HasPrefix(a.Vault, byPolicy) {
			continue
		}
		if mount, name, ok := loginAt(at); ok {
			out.logins[loginName{mount, fold(name)}] = a.Vault
			continue
		}
		whole = append(whole, at)
	}
	if len(whole) > 0 {
		mounts, err := r.l.authMounts(ctx)
		if err != nil {
			return out, err
		}
		others := otherMethods(mounts)
		for _, at := range whole {
			if slices.Contains(others, at) {
				out.mounts[at] = true
			}
		}
	}
	if len(out.logins)+len(out.mounts) == 0 {
		return out, nil
	}
	for _, t := range all {
		if place := out.by(t); place != "" && t.Entity != "" {
			out.made[rightsOf(t)] = place
		}
	}
	return out, nil
}

// loginAt is the role or user at a place below auth/.
func loginAt(at string) (mount, name string, ok bool) {
	for _, below := range []string{"/role/", "/users/"} {
		if i := strings.LastIndex(at, below); i > 0 {
			return at[:i], at[i+len(below):], true
		}
	}
	return "", "", false
}

// by is the place of the accepted login that made a token by logging in, or "".
func (a acceptedLogins) by(t minted.Token) string {
	for _, at := range loginNamesOf(t) {
		if place := a.logins[at]; place != "" {
			return place
		}
	}
	at := strings.TrimPrefix(t.Path, "auth/")
	for mount := range a.mounts {
		if strings.HasPrefix(at, mount+"/") {
			return "auth/" + mount
		}
	}
	return ""
}

// of is that of a token, or of one that its consumer may have made for himself
// with it: it has the same policies, does not name the device, and is not of
// the time of exposure. One with others was made for somebody, and so is every
// device's that got its token from a person: who that person is does not say.
func (a acceptedLogins) of(t liveToken) string {
	if place := a.by(t.Token); place != "" {
		return place
	}
	if t.Child() && t.Entity != "" && t.device == "" && !t.exposed {
		return a.made[rightsOf(t.Token)]
	}
	return ""
}
