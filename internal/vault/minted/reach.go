package minted

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/vault/powers"
)

// Whose is a login of which it is asked what somebody who has it could come to
// read.
type Whose struct {
	Auth *vaultapi.SecretAuth // what it gets now: a token that was minted for asking; nil: nobody logs in any more
	// Mine reports its tokens. They keep the policies that it gave when they
	// were minted, whatever it gives by now. Nil: they are not looked for.
	Mine func(Token) bool
	Own  []string // API paths: who may write there decides what the login gives
	// Many logins may have the same rights: what one reaches of the secrets is
	// remembered for the others. It costs the token a call.
	Many bool
	// Login is by what its tokens are found among all; without it each is asked
	// whether it is Mine.
	Login Login

	stood bool // Auth is of an earlier token, and only its policies are known
}

// Reach gives those of the API paths that a token of a login could come to
// read: a new one, or any that lives. A secret counts as read by who may write
// it, or its metadata: he can make a new value away, and put another one there.
// Of other paths (auth/, sys/) it is writing that counts.
//
// Who may give himself other rights reaches all paths; the one by which he may
// comes behind them. So, but without the others, does a path of another login
// that he may make anew, where a policy names that very login: whether it is
// one that is retired as well the caller knows.
//
// Tokens with the same policies and entity are asked about once: nothing else
// decides.
func (t *Tokens) Reach(ctx context.Context, w Whose, paths []string) ([]string, error) {
	out, _, err := t.reach(ctx, w, paths)
	return out, err
}

// reach also gives the standing of a new token of one of many logins.
func (t *Tokens) reach(ctx context.Context, w Whose, paths []string) ([]string, Standing, error) {
	var standing Standing
	asked, err := t.asking(ctx, w)
	if err != nil {
		return nil, standing, err
	}
	out := reached{paths: map[string]bool{}, named: map[string]bool{}}
	for _, a := range asked {
		by, exact, shown, err := t.rises(ctx, a, w)
		if err != nil {
			return nil, standing, err
		}
		if by != "" {
			return append(slices.Clone(paths), by), Standing{}, nil
		}
		rights := ""
		if token, ok := a.whose["token"].(string); ok && w.Many {
			rights = t.Rights(ctx, token, paths)
		}
		within, err := t.alike(ctx, a, paths, rights)
		if err != nil {
			return nil, standing, err
		}
		if shown && rights != "" {
			standing = t.stands(a, rights, paths, reply{within, exact, time.Now()})
		}
		out.add(within, exact)
	}
	return out.of(paths), standing, nil
}

// reached are paths that tokens of a login reach.
type reached struct{ paths, named map[string]bool }

func (r reached) add(within, exact []string) {
	for _, p := range within {
		r.paths[p] = true
	}
	for _, p := range exact {
		r.named[p] = true
	}
}

func (r reached) of(paths []string) (out []string) {
	for _, p := range paths {
		delete(r.named, p)
		if r.paths[p] {
			out = append(out, p)
		}
	}
	return append(out, slices.Sorted(maps.Keys(r.named))...)
}

// asker is a token, or the accessor of one, that Vault is asked about.
type asker struct {
	at       string
	whose    map[string]any
	policies []string // those of its entity too
	entity   string
	own      []string // policies without those
}

func (t *Tokens) asking(ctx context.Context, w Whose) ([]asker, error) {
	var out []asker
	if w.Auth == nil {
		w.Auth = &vaultapi.SecretAuth{}
	} else {
		if !w.stood {
			out = append(out, newest(w.Auth))
		}
	}
	if w.Mine == nil {
		return out, nil
	}
	key := func(entity string, policies []string) string {
		sorted := slices.Sorted(slices.Values(policies))
		return entity + "\x00" + strings.Join(sorted, "\x00")
	}
	seen := map[string]bool{key(w.Auth.EntityID, w.Auth.TokenPolicies): len(out) > 0 || w.stood}
	lately, err := t.lately(ctx)
	if err != nil {
		return nil, err
	}
	all := lately.all
	if w.Login.Mount != "" {
		all = lately.mayBeOf(w)
	}
	entities := map[string]bool{w.Auth.EntityID: w.Auth.EntityID != ""}
	for _, token := range all {
		if token.Entity != "" && w.Mine(token) {
			entities[token.Entity] = true
		}
	}
	found := map[string]Token{}
	for accessor, token := range all {
		k := key(token.Entity, token.Policies)
		if seen[k] || !w.Mine(token) && !(isChild(token) && entities[token.Entity]) {
			continue
		}
		seen[k] = true
		found[accessor] = token
	}
	if err := t.Renew(ctx, found, time.Now().Add(-goodFor)); err != nil {
		return nil, err
	}
	for accessor, token := range found {
		out = append(out, asker{"sys/capabilities-accessor", map[string]any{"accessor": accessor}, append(slices.Clone(token.Policies), token.IdentityPolicies...), token.Entity, token.Policies})
	}
	return out, nil
}

func newest(auth *vaultapi.SecretAuth) asker {
	return asker{"sys/capabilities", map[string]any{"token": auth.ClientToken}, append(slices.Clone(auth.TokenPolicies), auth.IdentityPolicies...), auth.EntityID, auth.TokenPolicies}
}

// goodFor is how long a look at all tokens serves questions about many logins.
// What was minted since then got what the login gives now, and that is asked by
// itself.
const goodFor = 5 * time.Second

// lately is a look that may be as old as that.
func (t *Tokens) lately(ctx context.Context) (*snapshot, error) {
	t.mu.Lock()
	last := t.last
	t.mu.Unlock()
	if last != nil && time.Since(last.at) < goodFor {
		return last, nil
	}
	at := time.Now()
	all, err := t.look(ctx)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = &snapshot{all: all, at: at}
	return t.last, nil
}

// Probe is a name that nobody has. Who may write there may write under any
// name.
const Probe = "asked-by-rollcall"

// rises gives a path by which a token may give itself, or a login that it
// makes, other policies than it has; empty if Vault shows none. named are paths
// of other logins, each named by a policy.
//
// shown reports whether all texts of its policies were read.
func (t *Tokens) rises(ctx context.Context, a asker, w Whose) (by string, named []string, shown bool, err error) {
	found, shown, err := t.powers(ctx, a.policies, w.Own, w.Many)
	if err != nil {
		return "", nil, false, err
	}
	for _, p := range found {
		if p.What != powers.Logins || !p.Exact() {
			return p.Path, nil, shown, nil
		}
		named = append(named, p.Path)
	}
	writes := slices.Clone(w.Own)
	for _, p := range a.policies {
		writes = append(writes, "sys/policies/acl/"+p, "sys/policy/"+p)
	}
	writes = append(writes,
		"identity/entity", "identity/entity/id/"+Probe, "identity/entity/name/"+Probe, "identity/entity/merge", "identity/entity-alias",
		"identity/group", "identity/group/id/"+Probe, "identity/group/name/"+Probe, "identity/group-alias",
		"auth/token/roles/"+Probe, "sys/auth/"+Probe,
		"sys/audit/"+Probe, "sys/remount", "sys/mounts/"+Probe, "sys/storage/raft/snapshot-force", "sys/plugins/catalog/auth/"+Probe,
	)
	if !shown {
		more, err := t.unseen(ctx)
		if err != nil {
			return "", nil, false, err
		}
		writes = append(writes, more...)
	}
	if a.entity != "" {
		writes = append(writes, "identity/entity/id/"+a.entity)
	}
	// With sudo there a token may be made with any policy (1.21), and storage
	// be read.
	sudo := []string{"auth/token/create", "auth/token/create-orphan", "sys/raw/" + Probe}
	got, err := t.capabilities(ctx, a, append(slices.Clone(writes), sudo...))
	if err != nil || got == nil {
		return "", nil, false, err
	}
	for _, at := range writes {
		if mayWrite(got.of(at)) {
			return at, nil, shown, nil
		}
	}
	for _, at := range sudo {
		if caps := got.of(at); slices.Contains(caps, "root") || slices.Contains(caps, "sudo") && (len(caps) > 1) {
			return at, nil, shown, nil
		}
	}
	return "", named, shown, nil
}

// maxAnswers bounds what is kept of earlier questions.
const maxAnswers = 256

// alike asks once for all tokens with the same rights: Vault takes half a
// millisecond and more for each path, and a mount may give every account of a
// company the same.
func (t *Tokens) alike(ctx context.Context, a asker, paths []string, rights string) ([]string, error) {
	if rights == "" {
		return t.within(ctx, a, paths)
	}
	key := rights + "\x00" + strings.Join(paths, "\x00")
	t.mu.Lock()
	known, ok := t.replies[key]
	t.mu.Unlock()
	if ok {
		return known, nil
	}
	within, err := t.within(ctx, a, paths)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.replies == nil || len(t.replies) >= maxAnswers {
		t.replies = map[string][]string{}
	}
	t.replies[key] = within
	return within, nil
}

// within asks about paths. What Vault does not answer about counts as within
// reach.
func (t *Tokens) within(ctx context.Context, a asker, paths []string) ([]string, error) {
	var out []string
	for part := range slices.Chunk(paths, chunk) {
		var ask []string
		for _, p := range part {
			ask = append(ask, p)
			ask = append(ask, beside(p)...)
		}
		got, err := t.capabilities(ctx, a, ask)
		if err != nil {
			return nil, err
		}
		if got == nil {
			return out, nil // the token has ended
		}
		for _, p := range part {
			caps, answered := got.reply(p)
			switch {
			case !answered,
				mayWrite(caps),
				isSecret(p) && (slices.Contains(caps, "read") || slices.Contains(caps, "delete")),
				slices.ContainsFunc(beside(p), func(at string) bool { return makesAway(got.of(at)) }):
				out = append(out, p)
			}
		}
	}
	return out, nil
}

const chunk = 150

// isSecret: the others are asked about for who may write there.
func isSecret(path string) bool { return powers.LiesInSecrets(path) }

// BesideData are parts of the API of a KV v2 mount that stand in the place of
// data where a version of a secret is made away.
var BesideData = []string{"metadata", "delete", "destroy"}

// beside are the paths of a KV v2 mount at which a version of the secret at
// path is made away. A mount's own name may have the segment that tells them.
func beside(path string) []string {
	if !isSecret(path) {
		return nil
	}
	var out []string
	for i := 0; ; {
		n := strings.Index(path[i:], "/data/")
		if n < 0 {
			return out
		}
		mount, rest := path[:i+n], path[i+n+len("/data/"):]
		for _, part := range BesideData {
			out = append(out, mount+"/"+part+"/"+rest)
		}
		i += n + 1
	}
}

func mayWrite(caps []string) bool {
	return slices.ContainsFunc(caps, func(c string) bool { return c == "create" || c == "update" || c == "patch" || c == "root" })
}

func makesAway(caps []string) bool { return mayWrite(caps) || slices.Contains(caps, "delete") }

// answers are capabilities by path.
type replies map[string]any

// answer: Vault answers about a name with blanks at its end under the name
// without them.
func (a replies) reply(path string) ([]string, bool) {
	list, ok := a[path].([]any)
	if !ok {
		if list, ok = a[strings.TrimSpace(path)].([]any); !ok {
			return nil, false
		}
	}
	var out []string
	for _, c := range list {
		if s, ok := c.(string); ok {
			out = append(out, s)
		}
	}
	return out, true
}

func (a replies) of(path string) []string {
	caps, _ := a.reply(path)
	return caps
}

// capabilities is nil if the token has ended. It asks with our own token, so
// that one that may do nothing, or that is used up by one call, can be asked
// about too.
func (t *Tokens) capabilities(ctx context.Context, a asker, paths []string) (replies, error) {
	body := map[string]any{"paths": paths}
	for k, v := range a.whose {
		body[k] = v
	}
	got, err := t.api.Logical().WriteWithContext(ctx, a.at, body)
	if vanished(err) && a.at == "sys/capabilities-accessor" {
		return nil, nil
	}
	if ended(err) { // the token of a login a moment ago
		return nil, t.gone("ask what a login may read")
	}
	if err != nil {
		return nil, t.fail("ask what a login may read", err)
	}
	if got == nil {
		return replies{}, nil
	}
	return got.Data, nil
}
