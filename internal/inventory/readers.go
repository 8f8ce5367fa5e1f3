package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/powers"
)

// Who is not on the roll may read new values too: whoever has a token of Vault
// that no login of the roll made (the device may have had one in its
// configuration), or logs in by an AppRole, as a user, or at an auth mount of
// another type, that no source lists. Rollcall does not rotate those. Consumers
// have such tokens and logins as well, and nothing in Vault tells the one from
// the other, so a person answers: by accessor, by policy, or by mount.

// readers finds out whose policies are about the places of the roll.
type readers struct {
	l     *lister
	paths []string // of the API: where a new value can be read, and a login of the roll made anew
	lies  []readAt // the credentials whose new value it is, by path
	over  powers.Over

	mu    sync.Mutex
	known map[string]verdict // by policy

	since  int64 // tokens made before are passed over
	newest int64 // when the newest token was made

	within map[string]reach // of tokens that name the device, by policies and entity

	entities map[string]map[string][]string // policies that entities give who logs in, by auth mount of another type and name

	found map[string]bool // logins to Vault, by credential, that a running campaign has not

	waits map[string][]string // by credential: for whom it waits, Credential.ReadBy
}

// readAt is a path at which the new value of a credential can be read.
type readAt struct{ path, id string }

// of are the credentials whose new value can be read at a path.
func (r *readers) of(path string) []readAt {
	first, _ := slices.BinarySearchFunc(r.lies, path, func(a readAt, path string) int { return strings.Compare(a.path, path) })
	end := first
	for end < len(r.lies) && r.lies[end].path == path {
		end++
	}
	return r.lies[first:end]
}

// reach is what a token may read, and by what it may come to more.
type reach struct {
	paths []string
	rises string
}

// verdict is what one policy may be about of the places of the roll.
type verdict struct {
	paths  []string
	rises  bool // it may give more rights than it says
	open   bool // it depends on who has it (templates)
	hidden bool // its text is not shown
	text   string
}

func (v verdict) reads() bool { return len(v.paths) > 0 || v.rises || v.hidden }

// otherReaders warns of whoever is not on the roll and may read new values.
func (l *lister) otherReaders(ctx context.Context, roll *credential.Roll) error {
	mounts, err := l.authMounts(ctx)
	if err != nil {
		return err
	}
	r := l.newReaders(roll)
	if r == nil {
		return nil
	}
	if mounts == nil {
		l.notShown("sys/auth", "this login may not list Vault's auth mounts (sys/auth): whether somebody logs in there, by a login that is not on the roll, and reads new values is not known")
	}
	if err := l.besideNamespace(ctx); err != nil {
		return err
	}
	r.found = l.notEnded(roll)
	ends := l.ends(roll)
	if err := r.loginsThatRead(ctx, mounts, ends); err != nil {
		return err
	}
	if err := r.rolesThatRead(ctx, otherMethods(mounts)); err != nil {
		return err
	}
	if err := r.tokensThatRead(ctx, roll, ends); err != nil {
		return err
	}
	for i, c := range roll.Credentials {
		roll.Credentials[i].ReadBy = slices.Sorted(slices.Values(r.waits[c.ID]))
	}
	return nil
}

// newReaders is nil where nothing is rotated.
func (l *lister) newReaders(roll *credential.Roll) *readers {
	r := &readers{l: l, known: map[string]verdict{}, within: map[string]reach{}, waits: map[string][]string{}}
	add := func(path, id string) { r.lies = append(r.lies, readAt{path, id}) }
	remade := map[string][]string{}
	for path, id := range remadeBy(roll) {
		remade[id] = append(remade[id], path)
	}
	for _, c := range roll.Credentials {
		if c.Problem != "" || c.Subject == "" || c.Kind.OnlyEnds() || c.Task != nil && !c.Task.Known() {
			continue
		}
		if c.Task != nil && c.Task.Make {
			add(ownmount.AnyCard(l.c.Vault.Mount, c.ID), c.ID)
		}
		for _, p := range c.Places() {
			add(p.Mount+"/data/"+p.Path, c.ID)
		}
		add(ownmount.StagingAPIPath(l.c.Vault.Mount, c.ID), c.ID)
		for _, path := range remade[c.ID] {
			add(path, c.ID)
		}
	}
	slices.SortFunc(r.lies, func(a, b readAt) int { return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.id, b.id)) })
	for i, at := range r.lies {
		if i == 0 || at.path != r.lies[i-1].path {
			r.paths = append(r.paths, at.path)
		}
	}
	r.over = powers.NewOver(r.paths, minted.BesideData...)
	if len(r.paths) == 0 {
		return nil
	}
	return r
}

// policy reads one policy, once.
func (r *readers) policy(ctx context.Context, name string) (verdict, error) {
	r.mu.Lock()
	v, ok := r.known[name]
	r.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := r.read(ctx, name)
	if err != nil {
		return verdict{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[name] = v
	return v, nil
}

func (r *readers) read(ctx context.Context, name string) (v verdict, err error) {
	if name == "root" {
		return verdict{rises: true}, nil
	}
	text, err := (&preview{api: r.l.vault.API(), policies: map[string]*string{}}).policy(ctx, name)
	if err != nil || text == nil {
		return verdict{hidden: true}, err
	}
	var open bool
	if v.paths, open, err = r.over.Of(*text); err != nil {
		return verdict{hidden: true}, nil // of a form that only Vault knows
	}
	more, err := powers.In(nil, *text)
	v.open, v.rises, v.hidden, v.text = open, len(more) > 0, err != nil, *text
	return v, nil
}

// by gives those of policies that may be about places of the roll, and what
// they may be about.
func (r *readers) by(ctx context.Context, policies []string) (by []string, all verdict, err error) {
	for _, name := range policies {
		v, err := r.policy(ctx, name)
		if err != nil {
			return nil, all, err
		}
		if !v.reads() {
			continue
		}
		by = append(by, name)
		all.paths = append(all.paths, v.paths...)
		all.rises, all.open, all.hidden = all.rises || v.rises, all.open || v.open, all.hidden || v.hidden
	}
	slices.Sort(all.paths)
	all.paths = slices.Compact(all.paths)
	if all.hidden {
		all.paths = r.paths
	}
	return by, all, nil
}

// acceptedPlace gives the reason by which a person accepts one of places. What
// reads there, and what lies there, is another thing by and by: his word counts
// only from a time at which the device was in foreign hands no more. A token,
// by its accessor, is the same for as long as it lives.
func (l *lister) acceptedPlace(places ...string) (reason string, ok bool) {
	for _, a := range l.c.Accept {
		if a.Vault != "" && slices.Contains(places, a.Vault) && (strings.HasPrefix(a.Vault, byAccessor) || l.c.Outdated(a) == "") {
			return a.Reason, true
		}
	}
	return "", false
}

// outdated says of what a person accepts by one of places why that counts no
// more; "" where he accepts none.
func (l *lister) outdated(places ...string) string {
	for _, a := range l.c.Accept {
		if why := l.c.Outdated(a); a.Vault != "" && slices.Contains(places, a.Vault) && !strings.HasPrefix(a.Vault, byAccessor) && why != "" {
			return fmt.Sprintf(". Of %s the file accepts %s", a.Vault, why)
		}
	}
	return ""
}

// outdatedPolicies is outdated for those by which somebody reads.
func (l *lister) outdatedPolicies(by []string, places ...string) string {
	for _, name := range by {
		places = append(places, byPolicy+name)
	}
	return l.outdated(places...)
}

// How a token is accepted: by its accessor, or by each policy by which it
// reads.
const (
	byAccessor = "auth/token/accessor/"
	byPolicy   = "auth/token/policy/"
)

// policiesAccepted reports whether a person accepts that each of these policies
// is had by others.
func (l *lister) policiesAccepted(by []string) (reason string, ok bool) {
	for _, name := range by {
		if reason, ok = l.acceptedPlace(byPolicy + name); !ok {
			return "", false
		}
	}
	return reason, len(by) > 0
}

// acceptPolicies is how a person writes that.
func acceptPolicies(by []string) string {
	var out []string
	for _, name := range by {
		out = append(out, paste.Row("vault", byPolicy+name, "on", "TIME"))
	}
	return "accept: - " + strings.Join(out, " and - ")
}

// ours reports whether all that a token has is Rollcall's own.
func ours(t minted.Token) bool {
	if t.Path == "auth/"+vault.AppRoleMount+"/login" && ownRole(t.Meta["role_name"]) {
		return true
	}
	n := 0
	for _, p := range slices.Concat(t.Policies, t.IdentityPolicies) {
		if p == "default" {
			continue
		}
		if n++; !ownRole(p) {
			return false
		}
	}
	return n > 0
}

// ownRole: of workers and operators, also those of one device.
func ownRole(name string) bool {
	return slices.ContainsFunc([]string{vault.WorkerPolicy, vault.LedgerPolicy, vault.OperatorPolicy}, func(own string) bool {
		return name == own || strings.HasPrefix(name, own+"-")
	})
}
