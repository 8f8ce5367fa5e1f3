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
	logins   map[loginName]string // their places
	mounts   map[string]bool
	entities map[string]string // places, by the entity of a token that such a login made
}

func (r *readers) acceptedLogins(ctx context.Context, all map[string]minted.Token) (acceptedLogins, error) {
	out := acceptedLogins{map[loginName]string{}, map[string]bool{}, map[string]string{}}
	var whole []string
	for _, a := range r.l.c.Accept {
		at, ok := strings.CutPrefix(a.Vault, "auth/")
		if !ok || strings.HasPrefix(a.Vault, byAccessor) || strings.HasPrefix(a.Vault, byPolicy) {
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
		if place := out.made(t); place != "" && t.Entity != "" {
			out.entities[t.Entity] = place
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

// made is the place of the accepted login that made a token itself, or "".
func (a acceptedLogins) made(t minted.Token) string {
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

// of is that of a token, or of one that was made with a token of the login and
// does not name the device by itself.
func (a acceptedLogins) of(t liveToken) string {
	if place := a.made(t.Token); place != "" {
		return place
	}
	if t.Child() && t.Entity != "" && t.device == "" {
		return a.entities[t.Entity]
	}
	return ""
}
