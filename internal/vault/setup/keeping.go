package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// settingsRules let the look before a rotation see whether a mount deletes what
// is written. Without them a campaign runs all the same, and doctor says what
// was not seen.
func settingsRules(c *config.Campaign, known []credential.Credential) []rule {
	var out []rule
	for _, p := range liveGrants(c, known) {
		if r := (rule{p.mount + "/config", []string{read}}); !slices.ContainsFunc(out, func(have rule) bool { return have.path == r.path }) {
			out = append(out, r)
		}
	}
	return out
}

// checkKeeping looks whether the mounts that the campaign file names keep what
// is written there.
func checkKeeping(ctx context.Context, s *ownmount.Store, c *config.Campaign, known []credential.Credential) (out []Check) {
	const name = "vault versions kept"
	seen, unseen := map[string]bool{}, []string{}
	var kept []string
	for i, p := range liveGrants(c, known) {
		at := credential.Path{Mount: p.mount, Path: p.path}
		place, err := s.Cut(ctx, p.mount+"/"+p.path)
		if err != nil || seen[place.Mount] {
			continue // what is wrong with a path that is on the roll is said there
		}
		seen[place.Mount] = true
		at.Mount, at.Path = place.Mount, place.Path
		k, err := s.MountKeeping(ctx, at)
		switch {
		case err != nil:
			out = append(out, Check{What: name, Detail: err.Error(), Do: GivePolicy(vault.WorkerPolicy)})
		case len(k.Unseen) > 0:
			unseen = append(unseen, place.Mount+"/config")
		case k.Deletes() && i < len(liveGrants(c, nil)):
			out = append(out, Check{What: name, Detail: fmt.Sprintf("%s/ deletes what is written to it after %s (delete_version_after): no new value is written there, and what would be stays open", place.Mount, k.After), Do: k.Mend(at)})
		case !k.Deletes():
			kept = append(kept, place.Mount+"/")
		}
	}
	if len(unseen) > 0 {
		out = append(out, Check{What: name, OK: true, NotChecked: true, Detail: fmt.Sprintf("this login may not read %s: whether these mounts delete by themselves what is written (delete_version_after) was not looked at; %s", strings.Join(unseen, ", "), GivePolicy(vault.WorkerPolicy))})
	}
	if len(out) == 0 && len(kept) > 0 {
		out = append(out, Check{What: name, OK: true, Detail: "what is written is kept on " + strings.Join(kept, ", ")})
	}
	return out
}

// checkAdopt looks whether a mount serves the place of new values of accounts
// that have no path.
func checkAdopt(ctx context.Context, s *ownmount.Store, c *config.Campaign) []Check {
	const name = "vault new paths"
	p, err := credential.ParsePath(c.Vault.Adopt)
	if err != nil {
		return nil
	}
	fixed, _, _ := strings.Cut(p.Mount+"/"+p.Path, "{")
	fixed = fixed[:strings.LastIndex(fixed, "/")]
	switch _, err := s.Cut(ctx, fixed); {
	case vault.IsKind(err, vault.NoMount):
		return []Check{{What: name, Detail: fmt.Sprintf("Vault has no mount for %s that this login can see", c.Vault.Adopt), Do: c.Vault.AdoptElsewhere()}}
	case vault.IsKind(err, vault.NotKV2):
		return []Check{{What: name, Detail: fmt.Sprintf("the mount for %s is not KV version 2", c.Vault.Adopt), Do: c.Vault.AdoptElsewhere()}}
	}
	return nil // rights are looked at by themselves
}

// WithMounts adds, to what is known of the roll, where the mounts of the file's
// own places end, as paths of no secret: a policy for a path that is
// cut at the wrong segment grants nothing, and the roll may not be listed yet.
// What cannot be asked is left out.
func WithMounts(ctx context.Context, s *ownmount.Store, c *config.Campaign, known []credential.Credential) []credential.Credential {
	var at credential.Credential
	full := []string{}
	for _, g := range liveGrants(c, nil) {
		full = append(full, strings.Trim(g.mount+"/"+g.path, "/"))
	}
	for _, name := range c.Authorities() {
		for _, login := range c.Authority(name).Logins() {
			full = append(full, login.Secret.Mount+"/"+login.Secret.Path)
		}
	}
	for _, path := range full {
		if place, err := s.Cut(ctx, path); err == nil {
			at.Paths = append(at.Paths, credential.Path{Mount: place.Mount})
		}
	}
	return append(slices.Clone(known), at)
}
