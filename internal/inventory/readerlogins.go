package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
)

// otherLogin is an AppRole, a user, a group or all of an auth mount that is on
// no roll: whoever had the device may log in there again at any time.
type otherLogin struct {
	mount, kind string
	place       string // of Vault's API; so a person accepts it
	name        string // empty: of the mount as a whole
	policies    []string
	role        map[string]any // of an AppRole: what Vault says of it
	device      string         // by what it names the device; empty: it does not
	byPolicy    bool           // only by the name of a policy
	group       bool           // of an auth mount of type ldap
	stolen      bool           // device is another one, whose roll has it open
	by          []string       // the policies by which it reads
	set         *policySet
	rises       string // by which path it may come to more than it has
}

// loginsAtOnce bounds what is read of one auth mount.
const loginsAtOnce = 20000

// followedLogins are the logins of the types that the roll follows, without
// those that it has, and without Rollcall's own. Each mount is listed once, and
// each role or user read once.
func (r *readers) followedLogins(ctx context.Context, mounts mountTypes, roll *credential.Roll) (out []otherLogin, err error) {
	mine := loginsOfRoll(roll)
	for _, c := range roll.Credentials {
		if mount, name, ok := cutRole(c.Subject); ok && c.Kind.OpensVault() {
			mine[loginName{mount, fold(name)}] = true // which waits for a person by itself
		}
	}
	for _, login := range r.l.c.Vault.Rehearsal.Logins {
		if mount, name, ok := cutRole(login); ok {
			mine[loginName{mount, fold(name)}] = true // it was made to be rehearsed on
		}
	}
	for _, mount := range slices.Sorted(maps.Keys(mounts)) {
		var found []otherLogin
		method := credential.MethodOf(mounts[mount])
		if kept := method.Rotated(); kept != nil {
			found, err = r.loginsBelow(ctx, otherLogin{mount: mount, kind: method.Type}, kept.Below, mine)
		} else if _, directory := ldapMounts[method.Type]; directory {
			found, err = r.directoryLogins(ctx, mount, mine)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return slices.DeleteFunc(out, otherLogin.ours), nil
}

// ldapMounts are the types of auth mounts whose logins are accounts of a
// directory.
var ldapMounts = map[string]bool{credential.LDAPMethod: true}

// loginsBelow reads what lies in one folder of an auth mount.
func (r *readers) loginsBelow(ctx context.Context, like otherLogin, folder string, mine rollLogins) ([]otherLogin, error) {
	at := "auth/" + like.mount + "/" + folder
	names, shown, err := r.names(ctx, at)
	if err != nil {
		return nil, &naming{err, "the logins of an auth mount cannot be listed"}
	}
	if !shown {
		r.l.whoReadsNotShown(like.mount, at)
		return nil, nil
	}
	var mu sync.Mutex
	var out []otherLogin
	var hidden []string
	if n := len(names) - loginsAtOnce; n > 0 {
		hidden = append(hidden, fmt.Sprintf("%d more below %s", n, at))
		names = names[:loginsAtOnce]
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	for _, name := range names {
		one := like
		one.name, one.place, one.group = name, at+"/"+name, folder == "groups"
		if folder != "groups" && mine[loginName{like.mount, fold(name)}] || one.ours() {
			continue
		}
		g.Go(func() error {
			got, err := r.l.roleOnce(gctx, one.place)
			denied := vault.Answered(err, http.StatusForbidden)
			if err != nil && !denied {
				return &naming{vaultError("read", one.place, err), "a login of an auth mount cannot be read"}
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case denied:
				hidden = append(hidden, one.place)
			case got != nil: // else it was deleted since
				one.policies, one.role = policiesIn(got), got
				out = append(out, one)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if len(hidden) > 0 {
		slices.Sort(hidden)
		r.l.whoReadsNotShown(like.mount, hidden...)
	}
	return out, nil
}

// directoryLogins are those of an auth mount of type ldap: what it gives
// everybody, and its groups and users. One that asks a directory of the
// campaign was read before.
func (r *readers) directoryLogins(ctx context.Context, mount string, mine rollLogins) (out []otherLogin, err error) {
	all := otherLogin{mount: mount, kind: credential.LDAPMethod, place: "auth/" + mount}
	i := slices.IndexFunc(r.l.mounts, func(m *authMount) bool { return m.name == mount })
	if i < 0 {
		config, err := r.l.vault.API().Logical().ReadWithContext(ctx, all.place+"/config")
		switch {
		case vault.Answered(err, http.StatusForbidden):
			r.l.whoReadsNotShown(mount, all.place+"/config")
		case err != nil:
			return nil, vaultError("read", all.place+"/config", err)
		case config == nil:
			return nil, nil // nobody logs in yet
		default:
			all.policies = policiesIn(config.Data)
			out = append(out, all)
		}
		groups, err := r.loginsBelow(ctx, all, "groups", mine)
		if err != nil {
			return nil, err
		}
		users, err := r.loginsBelow(ctx, all, "users", mine)
		return slices.Concat(out, groups, users), err
	}
	m := r.l.mounts[i]
	all.policies = m.gives
	out = append(out, all)
	add := func(folder, name string, policies []string) {
		one := all
		one.name, one.place, one.group = name, m.place(folder, name), folder == "groups"
		one.policies = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(policies))), func(p string) bool { return p == "" || p == "default" })
		out = append(out, one)
	}
	for name, policies := range m.groups {
		add("groups", name, policies)
	}
	for name, policies := range m.names {
		if at := (loginName{mount, name}); !mine[at] && r.l.elsewhereOpen.logins[at] == "" {
			add("users", name, policies)
		}
	}
	for at := range r.l.elsewhereOpen.logins {
		if at.mount == mount && !mine[at] {
			add("users", at.name, r.l.elsewhereOpen.gets(m, at))
		}
	}
	if len(m.hidden) > 0 {
		r.l.whoReadsNotShown(mount, m.hidden...)
	}
	return out, nil
}

func (l *lister) whoReadsNotShown(mount string, hidden ...string) {
	l.notShown("auth/"+mount, "this login may not read there with which policies somebody logs in (%s): whether who had the device may log in there, by a login that is not on the roll, and read new values is not known", some(hidden))
}

// ours: it is Rollcall's own, or of somebody who works with it and does nothing
// else.
func (o otherLogin) ours() bool {
	if o.kind == vault.OwnMethod && o.mount == vault.AppRoleMount && ownRole(o.name) {
		return true
	}
	return len(o.policies) > 0 && !slices.ContainsFunc(o.policies, func(p string) bool { return !ownRole(p) })
}

// loginsThatRead warns of whoever can log in without being on the roll and may
// read new values. What one that names the device reads waits.
func (r *readers) loginsThatRead(ctx context.Context, mounts mountTypes, roll *credential.Roll) error {
	all, err := r.followedLogins(ctx, mounts, roll)
	if err != nil {
		return err
	}
	if all, err = r.byIdentity(ctx, mounts, roll, all); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b otherLogin) int { return strings.Compare(a.place, b.place) })
	sets := map[string]*policySet{}
	alike := map[string][]otherLogin{}
	makes := r.l.makers()
	held := 0
	for _, o := range all {
		by, byPolicy := r.l.ofDevice(o)
		if o.name != "" {
			r.l.noteNamed(unlistedLogin{o.place, o.policies, by, byPolicy})
		}
		if err := r.loginReads(ctx, &o, sets); err != nil {
			return err
		}
		if by == "" && o.name != "" {
			if err := r.noteBound(ctx, o, makes); err != nil {
				return err
			}
		}
		if len(o.by) == 0 {
			continue
		}
		if reason, ok := r.l.acceptedPlace(o.place); ok {
			r.l.warn(credential.FindingAccepted, "who logs in by %s may read new values, which the campaign file accepts: %s", o.place, reason)
			continue
		}
		opens, err := r.namesDevice(ctx, &o)
		if err != nil {
			return err
		}
		_, accepted := r.l.policiesAccepted(o.by)
		switch {
		case !opens: // nobody has a secret-id of it
		case o.device != "" && !(o.byPolicy && accepted):
			held++
			r.hold(o, held)
		default:
			key := strings.Join(o.by, "\x00")
			alike[key] = append(alike[key], o)
		}
	}
	if held > toldAlone {
		r.l.warn(credential.FindingReader, "%s the device and may read new values: what they could read waits, and each is told once those before it are settled", plural.Count(held-toldAlone, "more login to Vault that is on no roll names", "more logins to Vault that are on no roll name"))
	}
	for _, key := range slices.Sorted(maps.Keys(alike)) {
		r.tellLogins(alike[key])
	}
	return nil
}
