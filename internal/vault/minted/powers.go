package minted

import (
	"context"
	"net/http"
	"slices"
	"time"

	"rollcall/internal/vault"
	"rollcall/internal/vault/powers"
)

// text is a policy as it was read; nil where it may not be.
type text struct {
	of *string
	at time.Time
}

// powers are what policies give besides what they say, by their text; shown is
// false where Vault does not show one of them. Somebody may take a right away
// so that all goes on, so a text is kept only where many logins are asked about
// at once.
func (t *Tokens) powers(ctx context.Context, policies, own []string, many bool) (found []powers.Power, shown bool, err error) {
	shown = true
	var texts []string
	for _, name := range slices.Compact(slices.Sorted(slices.Values(policies))) {
		if name == "root" {
			continue // it has no text; Vault is asked about it
		}
		of, err := t.policy(ctx, name, many)
		if err != nil {
			return nil, false, err
		}
		if of == nil {
			shown = false
			continue
		}
		texts = append(texts, *of)
	}
	found, err = powers.In(own, texts...)
	return found, shown, err
}

func (t *Tokens) policy(ctx context.Context, name string, many bool) (*string, error) {
	t.mu.Lock()
	known, ok := t.texts[name]
	t.mu.Unlock()
	if many && ok && time.Since(known.at) < goodFor {
		return known.of, nil
	}
	read := text{at: time.Now()}
	got, err := t.api.Logical().ReadWithContext(ctx, "sys/policies/acl/"+name)
	if err != nil && !vault.Answered(err, http.StatusForbidden) {
		return nil, t.fail("read the policies of a login", err)
	}
	if err == nil {
		read.of = new(string) // one that is not there gives nothing
		if got != nil {
			*read.of, _ = got.Data["policy"].(string)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.texts == nil || len(t.texts) >= maxAnswers {
		t.texts = map[string]text{}
	}
	t.texts[name] = read
	return read.of, nil
}

// unseen are paths by which a token may rise, for where the text of a policy is
// not shown: Vault is asked about a name that nobody has, at every auth mount
// that our login is shown.
func (t *Tokens) unseen(ctx context.Context) ([]string, error) {
	out := []string{"auth/token/create/" + Probe}
	got, err := t.api.Logical().ReadWithContext(ctx, "sys/auth")
	if vault.Answered(err, http.StatusForbidden) || err == nil && got == nil {
		return out, nil
	}
	if err != nil {
		return nil, t.fail("list auth mounts", err)
	}
	for mount := range got.Data {
		for _, below := range []string{"config", "role/" + Probe, "role/" + Probe + "/secret-id", "users/" + Probe, "users/" + Probe + "/password", "groups/" + Probe, "map/users/" + Probe, "certs/" + Probe} {
			out = append(out, "auth/"+mount+below)
		}
	}
	slices.Sort(out)
	return out, nil
}
