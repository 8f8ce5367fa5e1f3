package inventory

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/powers"
)

// Preview says of each login to Vault of the roll what it could read of the new
// values where they go, by the text of its policies: before a run there is no
// token of it to ask Vault about. It is a preview for people; the run asks
// Vault. mount is Rollcall's own.
func Preview(ctx context.Context, v Vault, mount string, roll *credential.Roll) ([]credential.Reach, error) {
	p, remade := preview{api: v.API(), policies: map[string]*string{}}, remadeBy(roll)
	var out []credential.Reach
	for _, c := range roll.Credentials {
		if !c.ReachesVault() || c.Own {
			continue
		}
		r := credential.Reach{Login: c.ID, Name: c.Name, Batch: c.Batch, Stays: c.Problem != "", Reads: []string{}}
		acl, risen, err := p.of(ctx, c, &r)
		if err != nil {
			return nil, &naming{fmt.Errorf("what %s could read: %w", c.Name, err), "what a login could read"}
		}
		for _, power := range risen {
			if remade[power.Path] == "" {
				r.Rises = string(power.What)
				break
			}
		}
		r.Staging = r.Rises != ""
		for _, other := range roll.Credentials {
			if other.Problem != "" || other.Own {
				continue // nothing new is written for it, or it goes last by its nature
			}
			if acl.MayRead(ownmount.StagingAPIPath(mount, other.ID)) {
				r.Staging = true
			}
			if r.Rises != "" || slices.ContainsFunc(other.Places(), func(at credential.Path) bool { return acl.MayRead(at.Mount + "/data/" + at.Path) }) {
				r.Reads = append(r.Reads, other.ID)
			}
		}
		out = append(out, r)
	}
	return out, nil
}

type preview struct {
	api      *vaultapi.Client
	policies map[string]*string // by name; nil: it may not be read
}

// of reads the policies that a login gets. What may not be read is noted in r,
// and taken for nothing.
func (p *preview) of(ctx context.Context, c credential.Credential, r *credential.Reach) (*powers.ACL, []powers.Power, error) {
	texts, _, err := p.texts(ctx, c, r)
	if err != nil {
		return nil, nil, err
	}
	acl, err := powers.ParseACL(texts...)
	if err == nil {
		var risen []powers.Power
		if risen, err = powers.In(ownPaths(c), texts...); err == nil {
			return acl, risen, nil
		}
	}
	r.Hidden = append(r.Hidden, err.Error()) // a policy of a form that only Vault knows
	acl, err = powers.ParseACL()
	return acl, nil, err
}

// texts are those of the policies that a login gets; shown is false where its
// role or user, or one of them, may not be read.
func (p *preview) texts(ctx context.Context, c credential.Credential, r *credential.Reach) (texts []string, shown bool, err error) {
	names, shown, err := p.names(ctx, c, r)
	if err != nil {
		return nil, false, err
	}
	return p.textsOf(ctx, names, shown, r)
}

// textsOf reads them; known is whether these are all that the login gets.
func (p *preview) textsOf(ctx context.Context, names []string, known bool, r *credential.Reach) (texts []string, shown bool, err error) {
	var hidden []string
	for _, name := range names {
		text, err := p.policy(ctx, name)
		switch {
		case err != nil:
			return nil, false, err
		case text == nil:
			hidden = append(hidden, name)
		default:
			texts = append(texts, *text)
		}
	}
	if len(hidden) > 0 {
		r.Hidden = append(r.Hidden, fmt.Sprintf("the text of its policies %s (read on sys/policies/acl/…)", strings.Join(hidden, ", ")))
	}
	return texts, known && len(hidden) == 0, nil
}

// names are those of the policies that a login gives: its role's or user's, and
// its entity's and groups'. shown is false where its role or user may not be
// read.
func (p *preview) names(ctx context.Context, c credential.Credential, r *credential.Reach) (all []string, shown bool, err error) {
	mount, name, ok := cutRole(c.Subject)
	switch {
	case c.Kind.OnlyEnds():
		token, err := minted.New(p.api, credential.VaultAuthority).Living(ctx, []string{name})
		if stop, ok := errors.AsType[*protocol.Stop](err); ok && stop.Reason == protocol.ReasonRights {
			r.Hidden = append(r.Hidden, "which policies it has (update on auth/token/lookup-accessor)")
			return nil, false, nil
		}
		return slices.Concat(token[name].Policies, token[name].IdentityPolicies), true, err
	case !c.Kind.OpensVault():
		// A directory account at an auth mount: by its groups there, which only
		// Vault and the directory know.
		r.Hidden = append(r.Hidden, "which policies it gets at an auth mount of type ldap, where it logs in; the run asks Vault")
		return nil, true, nil
	case !ok:
		return nil, true, nil
	}
	at := c.Kind.Traits().Login.Path(mount, name)
	role, shown, err := p.read(ctx, at)
	if err != nil || !shown {
		r.Hidden = append(r.Hidden, "which policies it gets (read on "+at+")")
		return nil, false, err
	}
	out := append(texts(role["token_policies"]), texts(role["policies"])...)
	if without, _ := role["token_no_default_policy"].(bool); !without {
		out = append(out, "default")
	}
	more, shown, err := p.identity(ctx, c.Kind, mount, name)
	if !shown {
		r.Hidden = append(r.Hidden, "what its entity and groups give it besides (read on a role's role-id, update on identity/lookup/entity, read on identity/group/id/…)")
	}
	out = append(out, more...)
	slices.Sort(out)
	return slices.Compact(out), true, err
}

// identity gives the policies of a login's entity and its groups; shown is
// false if they may not be looked up. One that nobody has logged in with has
// none.
func (p *preview) identity(ctx context.Context, of credential.Kind, mount, name string) (names []string, shown bool, err error) {
	alias, shown, err := p.alias(ctx, of, mount, name)
	if err != nil || alias == "" {
		return nil, shown, err
	}
	about, shown, err := p.read(ctx, "sys/internal/ui/mounts/auth/"+mount)
	if err != nil || !shown {
		return nil, shown, err
	}
	got, err := p.api.Logical().WriteWithContext(ctx, "identity/lookup/entity", map[string]any{"alias_name": alias, "alias_mount_accessor": about["accessor"]})
	if notShown(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, vaultError("update", "identity/lookup/entity", err)
	}
	if got == nil {
		return nil, true, nil
	}
	names = texts(got.Data["policies"])
	for _, group := range append(texts(got.Data["group_ids"]), texts(got.Data["inherited_group_ids"])...) {
		g, ok, err := p.read(ctx, "identity/group/id/"+group)
		if err != nil || !ok {
			return names, ok, err
		}
		names = append(names, texts(g["policies"])...)
	}
	return names, true, nil
}

// alias is by what Vault knows whoever logs in: the login's name, or what
// stands below its path (an AppRole's role-id). Empty for a login that is gone,
// and where it is not shown.
func (p *preview) alias(ctx context.Context, of credential.Kind, mount, name string) (alias string, shown bool, err error) {
	login := of.Traits().Login
	if login.AliasFrom == "" {
		return name, true, nil
	}
	data, shown, err := p.read(ctx, login.Path(mount, name)+"/"+login.AliasFrom)
	alias, _ = data[strings.ReplaceAll(login.AliasFrom, "-", "_")].(string)
	return alias, shown, err
}

// policy is the text of a policy, empty for one that is not there; nil if it
// may not be read.
func (p *preview) policy(ctx context.Context, name string) (*string, error) {
	if text, ok := p.policies[name]; ok {
		return text, nil
	}
	got, shown, err := p.read(ctx, "sys/policies/acl/"+name)
	if err != nil {
		return nil, err
	}
	var text *string
	if shown {
		t, _ := got["policy"].(string)
		text = &t
	}
	p.policies[name] = text
	return text, nil
}

func (p *preview) read(ctx context.Context, at string) (data map[string]any, shown bool, err error) {
	got, err := p.api.Logical().ReadWithContext(ctx, at)
	switch {
	case notShown(err):
		return nil, false, nil
	case err != nil:
		return nil, false, vaultError("read", at, err)
	case got == nil:
		return nil, true, nil
	}
	return got.Data, true, nil
}

// notShown: Vault answers that this login is not shown it, or that it has no
// such thing.
func notShown(err error) bool {
	return vault.Answered(err, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed)
}

// Outlook words what a person should know of a login before the run: what will
// wait, and why.
func Outlook(r credential.Reach, of int) string {
	var b strings.Builder
	switch {
	case len(r.Reads) == 0 && len(r.Hidden) > 0:
		fmt.Fprintf(&b, "what %s could read of %s is not known", r.Name, plural.Count(of, "new value", "new values"))
	case len(r.Reads) == 1:
		fmt.Fprintf(&b, "%s could read 1 of %s where it goes", r.Name, plural.Count(of, "new value", "new values"))
	default:
		fmt.Fprintf(&b, "%s could read %d of %s where they go", r.Name, len(r.Reads), plural.Count(of, "new value", "new values"))
	}
	if slices.Contains(r.Reads, r.Login) {
		b.WriteString(" (its own among them)")
	}
	switch {
	case r.Rises != "":
		b.WriteString(": " + r.Rises + "; take that right from it before the run, or nothing is set until a person accepts it (rollcall accept-open)")
	case r.Staging:
		b.WriteString(", and what Rollcall stages: take that right from it before the run, for nothing is staged until then")
	}
	switch {
	case len(r.Reads) == 0 || r.Staging:
	case r.Batch:
		b.WriteString("; it gives batch tokens, which nobody can revoke, so these wait until a person accepts it (rollcall accept-open)")
	case r.Stays:
		b.WriteString("; it cannot be rotated as listed (its own line says why), so these wait, unless it is seen to let nobody in, until a person accepts it (rollcall accept-open)")
	default:
		b.WriteString("; these wait until it is dead")
	}
	if len(r.Hidden) > 0 {
		b.WriteString(". Not seen, and perhaps more: " + strings.Join(r.Hidden, "; "))
	}
	return b.String()
}

// Rotated counts the credentials that get a new value.
func Rotated(roll *credential.Roll) (n int) {
	for _, c := range roll.Credentials {
		if c.Problem == "" && !c.Own {
			n++
		}
	}
	return n
}
