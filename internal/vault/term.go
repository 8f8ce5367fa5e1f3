package vault

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// term is what is known of how long our login lasts.
type term struct {
	ends    time.Time     // zero: it does not end
	full    time.Duration // the longest Lease that it had
	kept    bool          // it is prolonged, or made anew
	refused bool          // Vault knows the token no longer, and nobody makes another
}

// holds takes note of a lease that begins now.
func (o *ownLogin) holds(l Lease) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.term = term{full: max(o.term.full, l.TTL), kept: o.who.appRole() || l.Renewable}
	if l.TTL > 0 {
		o.term.ends = time.Now().Add(l.TTL)
	}
}

// refusedToken takes note that Vault knows our token no longer. An AppRole logs
// in again.
func (o *ownLogin) refusedToken() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.term.refused = !o.who.appRole()
}

// EndsSoon says why nothing may be begun that needs the login to Vault for as
// long as need; nil if it lasts. A login that is prolonged comes close to its
// end only when that fails.
func (c *Client) EndsSoon(need time.Duration) *protocol.Stop {
	o := &c.login
	o.mu.Lock()
	t := o.term
	o.mu.Unlock()
	if t.kept {
		need = min(need, t.full/4)
	}
	left := time.Until(t.ends)
	switch {
	case t.refused || !t.ends.IsZero() && left <= 0:
		return c.loginStop("Rollcall's login to Vault has ended")
	case t.ends.IsZero() || left > need:
		return nil
	}
	return c.loginStop(fmt.Sprintf("Rollcall's login to Vault ends in %s, too soon to set a value and activate it", left.Round(time.Second)))
}

func (c *Client) loginStop(what string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonVaultLogin, Server: c.api.Address(), Detail: what + "; " + c.logInAgain() + c.hint()}
}

func (c *Client) hint() string {
	if text := c.login.trouble(); text != "" {
		return "; " + text
	}
	return ""
}

// logInAgain is what a person does about a login that has ended.
func (c *Client) logInAgain() string {
	switch {
	case c.login.who.appRole():
		return "it is made anew by itself as soon as Vault takes the secret-id"
	case c.login.who.tokenFile != "":
		return "log in again (`vault login`), and it goes on with the new token"
	}
	return "give it another VAULT_TOKEN and run the same command, or use an AppRole (" + EnvRoleID + ", " + EnvSecretIDFile + ")"
}

// Lasting is how long a login can last.
type Lasting struct {
	For    time.Duration // 0: as long as it is needed
	Remedy string
}

// LastFor makes the login last for d if Vault lets it, and says how long it
// does.
func (c *Client) LastFor(ctx context.Context, d time.Duration) (Lasting, error) {
	if c.login.who.appRole() {
		return Lasting{}, nil
	}
	l, err := c.lookUp(ctx, c.api.Token())
	if err != nil || l.TTL == 0 || l.TTL >= d || l.periodic {
		return Lasting{}, err
	}
	const op, at = "renew our token", "auth/token/renew-self"
	if l.Renewable {
		// Vault grants what is asked for, up to the end of the token's life.
		got, err := c.api.Auth().Token().RenewSelfWithContext(ctx, int(d.Seconds())+1)
		switch {
		case err != nil && !IsKind(c.Fail(op, at, Update, err), PermissionDenied):
			return Lasting{}, c.Fail(op, at, Update, err)
		case err == nil && got != nil && got.Auth != nil:
			l = leaseOf(got.Auth)
			c.login.holds(l)
		}
		if l.TTL >= d {
			return Lasting{}, nil
		}
	}
	return Lasting{For: l.TTL, Remedy: c.logInAgain()}, nil
}

// leaseOf reads an answer to a login or a renewal. Vault rounds the last second
// down to nothing, which elsewhere means that there is no end.
func leaseOf(auth *vaultapi.SecretAuth) Lease {
	l := Lease{TTL: time.Duration(auth.LeaseDuration) * time.Second, Renewable: auth.Renewable}
	if l.TTL == 0 && auth.Renewable {
		l.TTL = time.Second
	}
	return l
}

// ComesBack reports whether a login that has ended may be made anew in this
// process: by itself, or by a person who logs in.
func (c *Client) ComesBack() (byItself, byPerson bool) {
	return c.login.who.appRole(), c.login.who.tokenFile != ""
}

// lookUp asks Vault about a token by itself, without working with it yet.
func (c *Client) lookUp(ctx context.Context, token string) (Lease, error) {
	const op, at = "check our token", "auth/token/lookup-self"
	holder, err := c.api.CloneWithHeaders()
	if err != nil {
		return Lease{}, c.Fail(op, at, Read, err)
	}
	holder.SetToken(token)
	self, err := holder.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return Lease{}, wrap(c.api.Address(), op, at, Read, err)
	}
	l := Lease{}
	if l.TTL, err = self.TokenTTL(); err != nil {
		return Lease{}, c.Odd(op, at, err)
	}
	if l.Renewable, err = self.TokenIsRenewable(); err != nil {
		return Lease{}, c.Odd(op, at, err)
	}
	longest, created, period := seconds(self.Data["explicit_max_ttl"]), seconds(self.Data["creation_time"]), seconds(self.Data["period"])
	if longest > 0 {
		l.Most = time.Until(time.Unix(int64(created/time.Second), 0).Add(longest))
	}
	l.periodic = l.Renewable && period > 0 && longest == 0
	return l, nil
}

func seconds(v any) time.Duration {
	n, _ := Number(v)
	return time.Duration(n) * time.Second
}

// tokenLeast is what must be left of a token so that no other one is looked
// for, and tokenLooked how often that is looked at.
const (
	tokenLeast  = 30 * time.Second
	tokenLooked = 2 * time.Second
)

// anotherToken works with the token that a person has put into the file since,
// where ours has ended or is about to. As long as ours is good the file does
// not matter: a person may log in as somebody else meanwhile.
func (c *Client) anotherToken(ctx context.Context) *Lease {
	if c.EndsSoon(tokenLeast) == nil {
		return nil
	}
	for _, token := range []credential.Secret{c.inFile(), credential.NewSecret(c.api.Token())} {
		if token.IsZero() || token.Equal(c.login.spurned) {
			continue
		}
		l, err := c.lookUp(ctx, token.Reveal())
		if IsKind(err, TokenExpired) || IsKind(err, PermissionDenied) {
			c.login.spurned = token
		}
		if err != nil || l.TTL > 0 && l.TTL < tokenLeast && token.Equal(credential.NewSecret(c.api.Token())) {
			continue
		}
		c.api.SetToken(token.Reveal())
		c.login.holds(l)
		return &l
	}
	return nil
}

// inFile is the token that the file holds now; zero if it is from no file.
func (c *Client) inFile() credential.Secret {
	if c.login.who.tokenFile == "" {
		return credential.Secret{}
	}
	b, err := os.ReadFile(c.login.who.tokenFile)
	if err != nil {
		return credential.Secret{}
	}
	return credential.NewSecret(strings.TrimSpace(string(b)))
}
