package inventory

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
)

// otherMethods are the auth mounts of other types (cert, jwt, kubernetes, aws,
// …). Whoever had the device may log in there with what it had: a certificate,
// the identity of a machine.
func otherMethods(mounts mountTypes) (out []string) {
	for name, kind := range mounts {
		if kind != "" && !credential.MethodOf(kind).Followed {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// roleFolders are where the plugins of Vault keep who gets which policies
// (https://developer.hashicorp.com/vault/api-docs/auth), each with where one of
// them is read.
var roleFolders = [][2]string{{"role", "role"}, {"roles", "role"}, {"roles", "roles"}, {"certs", "certs"}, {"users", "users"}, {"groups", "groups"}, {"map/teams", "map/teams"}, {"map/users", "map/users"}}

// maxRoles bounds what is read of one mount.
const maxRoles = 2000

// rolesThatRead warns of each auth mount of another type by whose roles
// somebody may read new values. Nobody can be logged in there from here, so the
// text of the policies decides.
func (r *readers) rolesThatRead(ctx context.Context, mounts []string) error {
	for _, mount := range mounts {
		if err := r.mountThatReads(ctx, mount); err != nil {
			return err
		}
	}
	return nil
}

func (r *readers) mountThatReads(ctx context.Context, mount string) error {
	at := "auth/" + mount
	gives, whole, err := r.policiesAt(ctx, at)
	if err != nil || !whole && len(r.entities[mount]) == 0 {
		return err
	}
	for name, policies := range r.entities[mount] {
		gives["entity of "+name] = policies
	}
	var roles, by []string
	what := ""
	for role, policies := range gives {
		reading, all, err := r.by(ctx, policies)
		if err != nil {
			return err
		}
		if len(reading) == 0 {
			continue
		}
		if role != "" {
			roles = append(roles, role)
		}
		by = append(by, reading...)
		if what = "it may come to any right"; len(all.paths) > 0 {
			what = r.what(all.paths, "")
		}
	}
	if len(by) == 0 {
		return nil
	}
	slices.Sort(roles)
	slices.Sort(by)
	by = slices.Compact(by)
	reason, ok := r.l.acceptedPlace(at)
	if !ok {
		reason, ok = r.l.policiesAccepted(by)
	}
	if ok {
		r.l.warn(credential.FindingAccepted, "who logs in at %s may read new values by %s, which the campaign file accepts: %s", at, strings.Join(by, ", "), reason)
		return nil
	}
	who := "whoever logs in there"
	if len(roles) > 0 {
		who = fmt.Sprintf("who logs in there (%s)", some(roles))
	}
	r.l.warn(credential.FindingReader, "%s: %s may read new values (%s) by the policies %s, and Rollcall does not follow logins of that type: if the device had one (a certificate, a key, a machine's identity), whoever stole it reads each of them. Take that login away from it, or its right; then say so: %s, or %s%s",
		at, who, what, strings.Join(by, ", "), paste.Entry("accept", "vault", at, "on", "TIME"), acceptPolicies(by), r.l.outdatedPolicies(by, at))
	return nil
}

// policiesAt are the policies that logins at a mount get, by role, "" standing
// for the mount's own. Where not all is shown it says so, and gives false.
func (r *readers) policiesAt(ctx context.Context, at string) (gives map[string][]string, whole bool, err error) {
	config, err := r.l.readVault(ctx, at+"/config")
	if err != nil && !notShown(err) {
		return nil, false, err
	}
	gives = map[string][]string{"": policiesIn(config)}
	var hidden []string
	listed := false
	for i, folder := range roleFolders {
		if i > 0 && roleFolders[i-1][0] == folder[0] && len(gives) > 1 {
			continue // read there
		}
		names, shown, err := r.names(ctx, at+"/"+folder[0])
		if err != nil {
			return nil, false, err
		}
		listed = listed || shown
		for n, name := range names {
			place := at + "/" + folder[1] + "/" + name
			if n == maxRoles {
				hidden = append(hidden, fmt.Sprintf("%d more below %s/%s", len(names)-n, at, folder[0]))
				break
			}
			got, err := r.l.readVault(ctx, place)
			switch {
			case notShown(err) || err == nil && got == nil:
				if folder[0] == folder[1] {
					hidden = append(hidden, place)
				}
			case err != nil:
				return nil, false, err
			default:
				gives[folder[1]+"/"+name] = policiesIn(got)
			}
		}
	}
	if listed && len(hidden) == 0 {
		return gives, true, nil
	}
	what := "who logs in there"
	if len(hidden) > 0 {
		what = some(hidden)
	}
	r.l.notShown(at, "it is an auth mount of another type than Rollcall follows, and this login may not read there with which policies somebody logs in (%s): whether who had the device may log in there and read new values is not known", what)
	return gives, false, nil
}

// names lists a folder of an auth mount; shown is false where our login may
// not.
func (r *readers) names(ctx context.Context, at string) (names []string, shown bool, err error) {
	names, err = r.l.listOnce(ctx, at)
	switch {
	case vault.Answered(err, http.StatusForbidden):
		return nil, false, nil
	case notShown(err): // it has no such thing
		return nil, true, nil
	}
	return names, err == nil, err
}

// policiesIn are those that an entry of an auth mount gives, whatever its
// plugin calls them.
func policiesIn(data map[string]any) (out []string) {
	for _, key := range []string{"token_policies", "policies", "value", "unregistered_user_policies", "allowed_policies"} {
		switch v := data[key].(type) {
		case string:
			for _, p := range strings.Split(v, ",") {
				out = append(out, strings.TrimSpace(p))
			}
		default:
			out = append(out, texts(v)...)
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(p string) bool { return p == "" || p == "default" })
}
