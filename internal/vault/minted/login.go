package minted

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
)

// Login is who logs in at auth/Mount/login/NAME.
type Login struct {
	Mount string   // without auth/ and slashes at the ends
	Names []string // by any of which he may; the alias of his entity is one of them
}

// Mint logs in with the new secret and gives the token, and what ends it again.
type Mint func(ctx context.Context) (token string, end func(), err error)

// Revocation is what RevokeLogin did, and what it could not reach.
type Revocation struct {
	Revoked int
	// Orphans are living tokens that may have been made with one of the
	// login's: they are orphans, made where it may make such. Nothing ties a
	// token of that sort to who made it.
	Orphans int
}

// RevokeLogin revokes every token that a login minted, and looks again until
// none is left.
//
// A login belongs to l by its name, in any spelling (Vault keeps what was typed
// in the path of the token, and takes other cases and outer blanks for the same
// user), or by the entity, which goes by the name that the authority has.
// Children die with their parents, but those that were orphaned: they keep the
// entity (auth/token/revoke-orphan; 1.21 tried).
//
// mint is called only where orphans are found, to ask whether the login may
// make such. Where it is nil or fails they are counted.
func (t *Tokens) RevokeLogin(ctx context.Context, l Login, mint Mint) (Revocation, error) {
	entities, err := t.entities(ctx, l)
	if err != nil {
		return Revocation{}, err
	}
	var out Revocation
	var orphans map[string]int
	places := map[string]bool{} // at which tokens of the login may make orphans
	out.Revoked, err = t.sweep(ctx, func() (map[string]Token, error) {
		all, err := t.look(ctx)
		if err != nil {
			return nil, err
		}
		orphans = orphansOf(all)
		found, err := t.living(ctx, slices.Collect(maps.Keys(l.candidates(all, entities))))
		if err != nil {
			return nil, err
		}
		for accessor, token := range found {
			if isChild(token) && !token.Orphan {
				delete(found, accessor) // it dies with its parent, or that is another login's
				continue
			}
			if err := t.mayMake(ctx, "sys/capabilities-accessor", map[string]any{"accessor": accessor}, orphans, places); err != nil {
				return nil, err
			}
		}
		return found, nil
	})
	if err != nil || len(orphans) == 0 {
		return out, err
	}
	if err := t.askLogin(ctx, mint, orphans, places); err != nil {
		return out, err
	}
	for place, n := range orphans {
		if places[place] {
			out.Orphans += n
		}
	}
	return out, nil
}

// candidates are the tokens of all that a login minted, and those with an
// entity of his that may have been orphaned. It adds to the entities those of
// further spellings.
func (l Login) candidates(all map[string]Token, entities map[string]bool) map[string]Token {
	for _, token := range all {
		if token.Entity != "" && l.minted(token, entities) {
			entities[token.Entity] = true
		}
	}
	out := map[string]Token{}
	for accessor, token := range all {
		if l.minted(token, entities) || isChild(token) && entities[token.Entity] {
			out[accessor] = token
		}
	}
	return out
}

func isChild(token Token) bool { return strings.HasPrefix(token.Path, "auth/token/create") }

// minted reports whether a login of l minted the token itself.
func (l Login) minted(token Token, entities map[string]bool) bool {
	typed, ok := strings.CutPrefix(token.Path, "auth/"+l.Mount+"/login/")
	if !ok {
		return false
	}
	if token.Entity != "" && entities[token.Entity] {
		return true
	}
	return slices.ContainsFunc(l.Names, func(name string) bool {
		return sameName(name, typed) || token.Meta["username"] != "" && sameName(name, token.Meta["username"])
	})
}

// Minted reports tokens that a login of l minted itself, by what was typed or
// by the entity.
func (l Login) Minted(entity string) func(Token) bool {
	entities := map[string]bool{entity: entity != ""}
	return func(token Token) bool { return l.minted(token, entities) }
}

// sameName compares as directories and Vault do: neither case nor blanks around
// and between count.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.FieldsFunc(a, unicode.IsSpace), " "), strings.Join(strings.FieldsFunc(b, unicode.IsSpace), " "))
}

// entities are those that Vault knows by one of the names at the mount.
func (t *Tokens) entities(ctx context.Context, l Login) (map[string]bool, error) {
	out := map[string]bool{}
	_, accessor, err := t.mount(ctx, l.Mount)
	if err != nil || accessor == "" {
		return out, err
	}
	for _, name := range l.Names {
		got, err := t.api.Logical().WriteWithContext(ctx, "identity/lookup/entity", map[string]any{"alias_name": name, "alias_mount_accessor": accessor})
		if err != nil {
			return nil, t.fail("look up the entity of a login", err)
		}
		if got != nil {
			if id, _ := got.Data["id"].(string); id != "" {
				out[id] = true
			}
		}
	}
	return out, nil
}

// orphansOf counts tokens that outlive whoever made them and do not show him,
// by the place at which they were made.
func orphansOf(all map[string]Token) map[string]int {
	out := map[string]int{}
	for _, token := range all {
		if token.Orphan && token.Entity == "" && isChild(token) {
			out[token.Path]++
		}
	}
	return out
}

// askLogin asks what a login could do now, by a token of its own.
func (t *Tokens) askLogin(ctx context.Context, mint Mint, orphans map[string]int, places map[string]bool) error {
	var token string
	var end func()
	err := errors.New("nobody logs in")
	if mint != nil {
		token, end, err = mint(ctx)
	}
	if err != nil {
		for place := range orphans {
			places[place] = true
		}
		return ctx.Err()
	}
	defer end()
	return t.mayMake(ctx, "sys/capabilities", map[string]any{"token": token}, orphans, places)
}

// mayMake adds to places those at which a token may make orphans. A role of
// tokens decides by itself that they are (auth/token/create/ROLE); elsewhere it
// takes sudo.
func (t *Tokens) mayMake(ctx context.Context, at string, whose map[string]any, orphans map[string]int, places map[string]bool) error {
	var paths []string
	for place := range orphans {
		if !places[place] {
			paths = append(paths, place)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	whose["paths"] = paths
	got, err := t.api.Logical().WriteWithContext(ctx, at, whose)
	if vanished(err) {
		return nil
	}
	if err != nil {
		return t.fail("ask whether a login may make orphan tokens", err)
	}
	for _, place := range paths {
		var caps []any
		if got != nil {
			caps, _ = got.Data[place].([]any)
		}
		has := func(c string) bool { return slices.Contains(caps, any(c)) }
		role := strings.HasPrefix(place, "auth/token/create/")
		if has("root") || (has("update") || has("create")) && (role || has("sudo")) {
			places[place] = true
		}
	}
	return nil
}

// MintsBatch reports whether logins of a mount may get batch tokens, which
// Vault can neither list nor revoke. own is the token type of the role or user
// itself. It asks the mount too, whatever that says: one whose token type is
// batch gives no others
// (https://developer.hashicorp.com/vault/api-docs/system/auth; tried on 1.21).
func (t *Tokens) MintsBatch(ctx context.Context, mount, own string) (bool, error) {
	if own == "batch" {
		return true, nil
	}
	kind, _, err := t.mount(ctx, mount)
	return GivesBatch(own, kind), err
}

// GivesBatch is MintsBatch where the mount's token type is known.
func GivesBatch(own, mount string) bool {
	return own == "batch" || mount == "batch" || own != "service" && strings.HasSuffix(mount, "batch")
}

// TokenType is what a configuration, a user or a role says of the tokens that
// it mints.
func (t *Tokens) TokenType(ctx context.Context, at string) (string, error) {
	got, err := t.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", t.fail("read what tokens a login mints", err)
	}
	if got == nil {
		return "", nil
	}
	own, _ := got.Data["token_type"].(string)
	return own, nil
}

// mount is the token type of an auth mount and its accessor, as any token with
// a right below it may see them.
func (t *Tokens) mount(ctx context.Context, mount string) (tokenType, accessor string, err error) {
	got, err := t.api.Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/auth/"+mount)
	if err != nil || got == nil {
		if vault.Answered(err, http.StatusNotFound) || err == nil {
			return "", "", nil
		}
		return "", "", t.fail("read the auth mount", err)
	}
	accessor, _ = got.Data["accessor"].(string)
	config, _ := got.Data["config"].(map[string]any)
	tokenType, _ = config["token_type"].(string)
	return tokenType, accessor, nil
}

// Findings words what an outcome is worth telling. They name no account.
func (o Revocation) Findings() []credential.Finding {
	var out []credential.Finding
	if o.Revoked > 0 {
		detail := plural.Count(o.Revoked, "live token that logins to Vault with the old secret had minted was revoked", "live tokens that logins to Vault with the old secret had minted were revoked")
		if o.Revoked == 1 {
			detail = "1 live token that a login to Vault with the old secret had minted was revoked"
		}
		out = append(out, credential.Finding{Code: credential.FindingTokensRevoked, Detail: detail})
	}
	if o.Orphans > 0 {
		out = append(out, credential.Finding{Code: credential.FindingOrphanTokens,
			Detail: fmt.Sprintf("%s that this login may have made, as its policies let it make such; nothing in Vault says who did: look at each (auth/token/accessors, those of a path auth/token/create…) and revoke what nobody claims; until a person accepts it the login counts as open", plural.Count(o.Orphans, "living token is an orphan", "living tokens are orphans"))})
	}
	return out
}
