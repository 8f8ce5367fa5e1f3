package vault

import (
	"context"
	"slices"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
)

// OwnPolicies are those of our token, its identity's too.
func (c *Client) OwnPolicies(ctx context.Context) ([]string, error) {
	self, err := c.api.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return nil, c.Fail("look at our token", "auth/token/lookup-self", Read, err)
	}
	out, err := self.TokenPolicies()
	if err != nil {
		return nil, c.Odd("look at our token", "auth/token/lookup-self", err)
	}
	return out, nil
}

// asPolicyFor is how long a token lives that is made for a question.
const asPolicyFor = time.Minute

// LackingAs is Lacking of a token that has one policy, and Vault's default one.
// Such a token is made for the question and ended after it; where our login may
// not make one, and has that policy itself, it is asked of our own. how says
// which. The error of a login that can do neither is IsDenied.
func (c *Client) LackingAs(ctx context.Context, policy string, want map[string][]string) (missing map[string][]string, how string, err error) {
	const op, at = "make a token of a policy, to ask what it may do", "auth/token/create"
	no := false
	made, err := c.api.Auth().Token().CreateWithContext(ctx, &vaultapi.TokenCreateRequest{
		Policies: []string{policy}, TTL: asPolicyFor.String(), Renewable: &no, DisplayName: "rollcall-doctor",
	})
	if err == nil && (made == nil || made.Auth == nil) {
		return nil, "", &Error{Op: op, Path: at, Server: c.api.Address(), Kind: Other, Detail: "the answer holds no token"}
	}
	if err != nil {
		denied := c.Fail(op, at, Update, err)
		own, lookErr := c.OwnPolicies(ctx)
		if lookErr != nil || !slices.Contains(own, policy) {
			return nil, "", denied
		}
		missing, err = c.Lacking(ctx, want)
		return missing, "this login has it", err
	}
	api, err := c.api.CloneWithHeaders()
	if err != nil {
		return nil, "", c.Fail(op, at, Update, err)
	}
	api.SetToken(made.Auth.ClientToken)
	defer func() { _ = api.Auth().Token().RevokeSelfWithContext(context.WithoutCancel(ctx), "") }() // else it ends by itself
	missing, err = c.lackingOf(ctx, api, want)
	return missing, "asked with a token of it", err
}
